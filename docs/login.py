#!/usr/bin/env python3
"""Records a login at a terminal, with pkce-idp as the server, and writes it as an animated SVG: login.py FILE.

Needs the tools, tmux and curl on the PATH. What is typed runs for real, in tmux, which is read many times a second; the
SVG plays it at the same speed. The user signs in after PAUSE seconds, without a browser window.
"""

import os
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

COLUMNS, ROWS = 64, 24
PAUSE = 2.5
LOGIN = """pkce-discover {issuer} | pkce-gen - |
  pkce-url --client-id pkce-tools --scope openid |
  pkce-callback | pkce-exchange | pkce-verify |
  pkce-store work
"""
USE = """pkce-token work -- \\
  curl --silent -H @- {issuer}/userinfo && echo
"""

# The size of a character and of a line, and the space around the text.
ADVANCE, LINE, MARGIN = 8.4, 20, 18
STYLE = """
  .card { fill: #ffffff; stroke: #d8dee4 } .cursor { fill: #59636e; opacity: 0.5 } .typed { fill: #0f7b6c }
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328;
    white-space: pre } g, .cursor { animation-timing-function: step-end; animation-iteration-count: infinite }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 } .cursor { fill: #9aa4af } .typed { fill: #4fcfba } }
  @media (prefers-reduced-motion: reduce) { g, .cursor { animation: none !important } }"""


class Terminal:
    """A shell in a tmux of its own, and what it has shown so far: time, lines and place of the cursor."""

    def __init__(self, home, environment):
        self.screens = []
        self.tmux = ["tmux", "-f", "/dev/null", "-S", str(home / "tmux")]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        shell = ["env", "PS1=$ ", "PS2=> ", "HISTFILE=", "bash", "--norc"]
        subprocess.run([*self.tmux, "new-session", "-d", *size, *shell], env=environment, cwd=home, check=True)
        subprocess.run([*self.tmux, "set", "-g", "status", "off"], check=True)

    def look(self):
        """Takes what is shown, if it is new."""
        shown = subprocess.run([*self.tmux, "capture-pane", "-p", ";", "display", "-p", "#{cursor_x} #{cursor_y}"],
                               check=True, capture_output=True, text=True).stdout
        *lines, cursor = shown.rstrip("\n").split("\n")
        screen = ([line.rstrip() for line in lines], tuple(map(int, cursor.split())))
        if not self.screens or self.screens[-1][1:] != screen:
            self.screens.append((time.monotonic(), *screen))

    def watch(self, seconds):
        """Looks again and again for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()

    def until(self, last):
        """Looks until this is the last line."""
        end = time.monotonic() + 20
        while [line for line in self.screens[-1][1] if line][-1:] != [last]:
            if time.monotonic() > end:
                sys.exit(f"login.py: not shown in time: {last}")
            self.look()

    def type(self, text):
        """Types as a person who does not hesitate."""
        for letter in text:
            subprocess.run([*self.tmux, "send-keys", "-l", letter] if letter != "\n" else
                           [*self.tmux, "send-keys", "Enter"], check=True)
            self.watch(0.03)

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False)


def record():
    """Logs in, uses the login, and returns the screens."""
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        server = subprocess.Popen(["pkce-idp", "--auto-approve", "-r", "issuer"], stdout=subprocess.PIPE, text=True)
        issuer = server.stdout.readline().strip()
        browser = home / "browser"
        browser.write_text(f"#!/bin/sh\nsleep {PAUSE}\nexec pkce-idp --visit \"$1\"\n")
        browser.chmod(0o755)
        terminal = Terminal(home, {"PATH": os.environ["PATH"], "HOME": str(home), "BROWSER": f"{browser} %s",
                                   "TERM": "xterm-256color", "LANG": "C.UTF-8"})
        try:
            terminal.look()
            terminal.until("$")
            terminal.watch(1)
            terminal.type(LOGIN.format(issuer=issuer))
            terminal.until("$")
            terminal.watch(1)
            terminal.type(USE.format(issuer=issuer))
            terminal.until("$")
            terminal.watch(4)
            return terminal.screens, time.monotonic()
        finally:
            terminal.close()
            server.kill()
            server.wait()


def film(name, states, start, end, place):
    """The rule that shows these states, each from its time on, and the place of the last one, as style of an element."""
    stops = "".join(f"{100 * (at - start) / (end - start):.2f}%{{transform:translate({place(state)})}}"
                    for at, state in states)
    rule = f"@keyframes {name}{{{stops}}}"
    style = f"animation-name:{name};animation-duration:{end - start:.1f}s;transform:translate({place(states[-1][1])})"
    return rule, style


def changes(screens, of):
    """When what `of` takes from the screens changes, and to what."""
    states = []
    for screen in screens:
        state = of(screen)
        if not states or states[-1][1] != state:
            states.append((screen[0], state))
    return states


def drawn(line, y):
    """A line of text, as wide in any font."""
    if not line:
        return ""
    kind = ' class="typed"' if line[0] in "$>" else ""
    width = len(line) * ADVANCE
    return f'<text{kind} y="{y}" textLength="{width:.1f}" xml:space="preserve">{escape(line)}</text>'


def svg(screens, end):
    start = screens[0][0]
    rows = max(at[1] for _, _, at in screens) + 1
    width, height = COLUMNS * ADVANCE + 2 * MARGIN, rows * LINE + 2 * MARGIN
    rules, parts = [], []
    for row in range(rows):
        states = changes(screens, lambda screen: screen[1][row] if row < len(screen[1]) else "")
        texts = list(dict.fromkeys(line for _, line in states))
        rule, style = film(f"r{row}", states, start, end, lambda line: f"0,{-LINE * texts.index(line)}px")
        rules.append(rule)
        parts.append(f'<svg x="{MARGIN}" y="{MARGIN + row * LINE}" width="{width - 2 * MARGIN:.0f}" height="{LINE}">'
                     f'<g style="{style}">' + "".join(drawn(line, LINE * at + 15) for at, line in enumerate(texts))
                     + "</g></svg>")
    cursor = changes(screens, lambda screen: screen[2])
    rule, style = film("cursor", cursor, start, end,
                       lambda at: f"{MARGIN + at[0] * ADVANCE:.1f}px,{MARGIN + at[1] * LINE + 2}px")
    label = "A login at a terminal: a pipeline prints the URL, the user signs in, and curl calls an API with the token"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
            f'height="{height}" role="img" aria-label="{label}">\n<style>{STYLE}\n' + "\n".join([*rules, rule])
            + f'\n</style>\n<rect class="card" x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="10"/>\n'
            + "\n".join(parts) + f'\n<rect class="cursor" width="{ADVANCE}" height="17" style="{style}"/>\n</svg>\n')


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(svg(*record()), encoding="utf-8")
