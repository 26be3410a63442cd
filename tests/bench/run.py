#!/usr/bin/env python3
"""Measures the tools beside what people use today, all in one run, and writes RESULTS.md and the plots.

Needs the tools and hyperfine 1.20 on the PATH; peers.sh installs what it can of the rest. A peer that is missing is
named as missing. BENCH_SHORT=1 takes a tenth of the runs, to try a change of this script. DYNAMIC names a directory
with the tools linked dynamically that are installed as static ones, NODE_PATH one with the packages of article.cjs."""

import datetime
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plots
from crowds import logs_in_many_at_once, refreshes_once
from measure import is_there, run
from page import SHORT, figures, text
from prepare import (a_program_that_runs, an_oidc_agent, free_port, output, prepare_browser, prepare_certificates,
                     prepare_documents)
from programs import VERSIONS, counts, logins_of_others, logs_in, posts_over_https, sizes, starts_and_finishes
from streams import grows_with_documents, streams, uses_two_cores
from targets import compares_with_targets

HERE = Path(__file__).resolve().parent
NEEDED = ["ring", "hyperfine", "valgrind", "strace", "openssl", "/usr/bin/time", "taskset"]


def measure_all():
    prepare_browser()
    prepare_documents()
    prepare_certificates()
    port = free_port()
    redirects = [f"--redirect-uri=http://127.0.0.1:{port}/callback", f"--redirect-uri=http://localhost:{port}"]
    server = [sys.executable, str(HERE / "server.py"), "server.pem", "server.key"]
    with a_program_that_runs(server) as (_, ports), \
            a_program_that_runs(["pkce-idp", "--auto-approve", *redirects]) as (_, document):
        secure, plain = ports.split()
        issuer = re.search(r'"issuer":"([^"]+)"', document)[1]
        os.environ.update(PKCE_ISSUER=issuer, PKCE_CLIENT_ID="pkce-tools")
        others = logins_of_others(issuer, port)
        cached = others["kubelogin"].replace(" --force-refresh", "")
        if is_there("kubelogin"):
            run(shlex.split(cached))
        with an_oidc_agent(plain) as ready:
            starts_and_finishes(ready, cached)
        posts_over_https(secure)
        logs_in(issuer, port, others)
        del os.environ["PKCE_ISSUER"]
    streams()
    counts()
    sizes()
    grows_with_documents()
    uses_two_cores()
    refreshes_once()
    logs_in_many_at_once()


def the_machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    versions = [f"{name} {version(name, command)}" for name, command in VERSIONS.items()]
    own = output("pkce-gen --version").split()[1]
    commit = output(f"git -C {shlex.quote(str(HERE))} rev-parse --short HEAD || echo unknown").strip()
    return [f"- {datetime.date.today()}; {os.cpu_count()} cores of {model}; Linux {platform.release()}",
            f"- pkce-tools {own}, commit {commit}; {'; '.join(versions)}",
            "- Environment: PATH, HOME, PKCE_HOME, BROWSER and what a section names; no certificates and no proxy from "
            "outside."]


def version(name, command):
    """What a Go program was built from, if go is here to read it, else what the program says."""
    if not is_there(name):
        return "missing"
    if is_there("go"):
        built = subprocess.run(["go", "version", "-m", shutil.which(name)], capture_output=True, text=True, check=False)
        module = re.search(r"\tmod\t\S+\t(v\S+)", built.stdout)
        if module:
            return module[1]
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    said = re.search(r"v?\d[\w.+-]*", (done.stdout + done.stderr).replace(name, ""))
    return said[0] if said else "(unknown)"


def main():
    absent = [program for program in NEEDED if not is_there(program)]
    if absent:
        sys.exit("bench: missing: " + ", ".join(absent) + " (tests/bench/peers.sh says where they come from)")
    kept = {name: os.environ[name] for name in ("PATH", "DYNAMIC", "NODE_PATH") if name in os.environ}
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        os.environ.clear()
        os.environ.update(kept, HOME=work, PKCE_HOME=f"{work}/store", LC_ALL="C.UTF-8")
        measure_all()
        machine = the_machine()
        os.chdir(HERE)
    compares_with_targets()
    minutes = f"{(time.monotonic() - began) / 60:.0f} minutes{', with a tenth of the runs' if SHORT else ''}"
    page = ["# Results of `make bench`", "", "Written by tests/bench/run.py, in one run; medians. Do not edit: the reasons "
            "are kept in notes.md.", "", *machine, f"- Measured in {minutes}.", ""]
    (HERE / "RESULTS.md").write_text("\n".join([*page, *text]) + "\n", encoding="utf-8")
    plots.draw(HERE, figures)


main()
