"""How the benchmark measures: single runs by the kernel's own count, many short ones by hyperfine."""

import json
import os
import shutil
import statistics
import subprocess
import time

GNU_TIME = "/usr/bin/time"


def is_there(program):
    return shutil.which(program) is not None


def median(values):
    return statistics.median(values)


def spread(values):
    """The first and the third quartile."""
    first, _, third = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return first, third


def spawn(argv, stdin="/dev/null", stdout="/dev/null", stderr="/dev/null", extra=()):
    """Start a program; stdin and stdout are file names or descriptors."""
    actions = []
    for number, place in enumerate((stdin, stdout, stderr)):
        if isinstance(place, int):
            actions.append((os.POSIX_SPAWN_DUP2, place, number))
        else:
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            actions.append((os.POSIX_SPAWN_OPEN, number, place, flags, 0o600))
    return os.posix_spawnp(argv[0], argv, os.environ, file_actions=[*actions, *extra])


def finish(pid):
    """The exit status and the CPU time in seconds, of the process and the children that it waited for."""
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def run(argv, stdin="/dev/null", stdout="/dev/null", stderr="/dev/null"):
    """Status, wall time and CPU time in seconds of one run."""
    start = time.perf_counter()
    status, cpu = finish(spawn(argv, stdin, stdout, stderr))
    return status, time.perf_counter() - start, cpu


def run_pipeline(steps, stdin="/dev/null", stdout="/dev/null", stderr="/dev/null"):
    """The statuses and the CPU times of the processes of a pipeline, started without a shell."""
    pids, source = [], stdin
    for number, argv in enumerate(steps):
        last = number == len(steps) - 1
        reader, writer = (None, stdout) if last else os.pipe()
        pids.append(spawn(argv, source, writer, stderr))
        for descriptor in (source, writer):
            if isinstance(descriptor, int):
                os.close(descriptor)
        source = reader
    ended = [finish(pid) for pid in pids]
    return [status for status, _ in ended], [cpu for _, cpu in ended]


def with_peak(argv, file="peak"):
    """The same program under GNU time, which writes its peak of resident memory, in KiB, into the file."""
    return [GNU_TIME, "--quiet", "-f", "%M", "-o", file, "--", *argv]


def read_peak(file="peak"):
    with open(file, encoding="ascii") as text:
        return int(text.read().split()[-1])


def peak(argv, stdin="/dev/null", runs=5):
    """The median peak of resident memory in KiB."""
    values = []
    for _ in range(runs):
        run(with_peak(argv), stdin)
        values.append(read_peak())
    return median(values)


def compare(commands, stdin, runs, rounds=5):
    """Seconds of each run of each command, by hyperfine; in turn, so that a machine whose speed drifts is as slow for
    each."""
    times = {name: [] for name in commands}
    for _ in range(rounds):
        subprocess.run(
            ["hyperfine", "-N", "--style=none", "--warmup=3", f"--runs={max(2, runs // rounds)}", f"--input={stdin}",
             "--export-json=times.json", *commands.values()],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open("times.json", encoding="utf-8") as text:
            for name, result in zip(commands, json.load(text)["results"]):
                times[name] += result["times"]
    return times


def instructions(argv, stdin="/dev/null"):
    """The instructions of one run in user space, as callgrind counts them."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv]
    with open(stdin, "rb") as source:
        done = subprocess.run(tool, stdin=source, capture_output=True, text=True, check=False)
    return next(int(line.split()[-1]) for line in done.stderr.splitlines() if "Collected" in line)


def system_calls(argv, stdin="/dev/null", only="all"):
    """How many system calls one run makes, its threads' and children's included."""
    with open(stdin, "rb") as source:
        subprocess.run(["strace", "-f", "-qq", "-o", "calls", "-e", f"trace={only}", "-e", "signal=none", *argv],
                       stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open("calls", encoding="utf-8", errors="replace") as text:
        return sum("resumed>" not in line and "exited with" not in line for line in text)
