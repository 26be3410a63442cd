"""The page of results: its lines, and the figures that the targets and the plots are made of."""

import os
import re
import sys

from measure import is_there, median, spread

SHORT = "BENCH_SHORT" in os.environ

text = []  # the lines of RESULTS.md
figures = {}  # by name


def say(*lines):
    text.extend(lines)


def table(head, rows):
    """A Markdown table; a column of numbers is right-aligned."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    numbers = [all(re.fullmatch(r"[\d.,–≤≥ ]*", row[at]) for row in cells) and any(row[at] for row in cells)
               for at in range(len(head))]
    say("", f"| {' | '.join(head)} |", "|" + "|".join("---:" if number else "---" for number in numbers) + "|")
    say(*(f"| {' | '.join(row)} |" for row in cells))


def few(runs):
    return max(2, runs // 10) if SHORT else runs


def section(title):
    print(title, file=sys.stderr, flush=True)
    say("", f"## {title}", "")


def ms(seconds):
    return f"{seconds * 1000:.2f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def row_of_times(command, times, beside):
    """A command, the median and the quartiles of its times, and the ratio to another median."""
    first, third = spread(times)
    return f"`{command}`", ms(median(times)), f"{ms(first)}–{ms(third)}", f"{median(times) / beside:.2f}"


def missing(names):
    absent = [name for name in names if not is_there(name)]
    if absent:
        say("", "Missing on this machine, so not measured: " + ", ".join(absent) + ".")


def without_ports(command):
    """The command as the page shows it: the ports are others in each run."""
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:PORT", command)
