"""Runs a program in a terminal, and keeps what the screen shows.

    python terminal.py COLUMNSxLINES TEXT FILE PROGRAM [ARGUMENT...]

As soon as the TEXT is on the screen, FILE.txt has its lines, and FILE.html shows it in a browser, in the colors of a light
or a dark terminal. What the screen shows at the end goes to standard output, and the status is the program's."""

import fcntl
import html
import os
import pty
import signal
import struct
import sys
import termios

import pyte

# What xterm calls them, as pyte names them.
COLORS = {
    "black": "#000000", "red": "#cd0000", "green": "#00cd00", "brown": "#cdcd00",
    "blue": "#0000ee", "magenta": "#cd00cd", "cyan": "#00cdcd", "white": "#e5e5e5",
    "brightblack": "#7f7f7f", "brightred": "#ff0000", "brightgreen": "#00ff00", "brightyellow": "#ffff00",
    "brightblue": "#5c5cff", "brightmagenta": "#ff00ff", "brightcyan": "#00ffff", "brightwhite": "#ffffff",
}  # fmt: skip

# The blocks are drawn, as terminals do, since the glyphs of a font leave gaps.
BLOCKS = {"█": "{0}", "▀": "linear-gradient({0} 50%, {1} 50%)", "▄": "linear-gradient({1} 50%, {0} 50%)"}

PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<style>
:root {{ --text: #1c1c1c; --ground: #ffffff }}
@media (prefers-color-scheme: dark) {{ :root {{ --text: #d0d0d0; --ground: #1c1c1c }} }}
body {{ margin: 0 }}
pre {{ margin: 0; padding: 10px; width: max-content; font: 16px/20px monospace; background: var(--ground) }}
b, i {{ display: inline-block; width: 10px; height: 20px; vertical-align: top; font-style: normal; font-weight: normal }}
b {{ font-weight: bold }}
</style>
<pre>{}</pre>
"""


def main():
    size, text, file = sys.argv[1:4]
    columns, lines = map(int, size.split("x"))
    # The program starts when the terminal has its size.
    ready, go = os.pipe()
    process, terminal = pty.fork()
    if process == 0:
        os.close(go)
        os.read(ready, 1)
        # A background job, and Python, ignore some.
        for number in signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ:
            signal.signal(number, signal.SIG_DFL)
        os.environ["TERM"] = "xterm-256color"
        os.execvp(sys.argv[4], sys.argv[4:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    os.close(go)

    screen = pyte.Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    waiting = True
    for output in read(terminal):
        stream.feed(output)
        # What is too long for a line goes on in the next.
        if waiting and text in "".join(screen.display):
            waiting = False
            with open(file + ".html", "w") as page:
                page.write(PAGE.format("\n".join(row(screen, at) for at in range(lines))))
            with open(file + ".txt", "w") as shown:
                shown.write(lines_of(screen))
    sys.stdout.write(lines_of(screen))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def lines_of(screen):
    return "".join(line.rstrip() + "\n" for line in screen.display)


def row(screen, at):
    return "".join(cell(screen.buffer[at][column]) for column in range(screen.columns))


def cell(character):
    front, back = color(character.fg, "var(--text)"), color(character.bg, "var(--ground)")
    if character.reverse:
        front, back = back, front
    tag = "b" if character.bold else "i"
    block = BLOCKS.get(character.data)
    background = block.format(front, back) if block else back
    shown = " " if block else html.escape(character.data)
    return f'<{tag} style="color: {front}; background: {background}">{shown}</{tag}>'


def color(name, default):
    return default if name == "default" else COLORS.get(name, "#" + name)


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
