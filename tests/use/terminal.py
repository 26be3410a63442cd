"""Runs a program in a terminal, and types to it.

    python terminal.py [TEXT KEYS]... -- PROGRAM [ARGUMENT...]

types the KEYS as soon as the TEXT before them is on the screen, one pair after the other; in the keys, \\r is Return
and \\x03 is Ctrl-C. Each line that is shown goes to standard output once, and the status is the program's."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios

import pyte

COLUMNS, LINES = 120, 30


def main():
    end = sys.argv.index("--")
    texts, keys = sys.argv[1:end:2], sys.argv[2:end:2]
    steps = [(text, typed.encode().decode("unicode_escape")) for text, typed in zip(texts, keys)]
    process, terminal = pty.fork()
    if process == 0:
        # A background job, and Python, ignore some.
        for number in signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ:
            signal.signal(number, signal.SIG_DFL)
        os.environ["TERM"] = "xterm"
        os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    shown, lines = set(), [""] * LINES
    for output in read(terminal):
        for piece in pieces(output):
            stream.feed(piece)
            for row in sorted(screen.dirty):
                line = lines[row] = "".join(screen.buffer[row][column].data for column in range(COLUMNS)).rstrip()
                if line and line not in shown:
                    print(line, flush=True)
                shown.add(line)
            screen.dirty.clear()
        # Only now: a program that is still drawing may not expect keys yet.
        while steps and any(steps[0][0] in line for line in lines):
            os.write(terminal, steps.pop(0)[1].encode())
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def pieces(output):
    """The output in pieces, none of which writes over its own text: what is on the screen for a moment only is shown
    too, however much is read at once."""
    return re.split(rb"(?<=\n)|(?=[\r\x1b])", output)


def read(terminal):
    """What the program writes, until it has ended."""
    try:
        while output := os.read(terminal, 65536):
            yield output
    except OSError:
        # How Linux reports that nobody has the terminal open.
        return


if __name__ == "__main__":
    main()
