#!/usr/bin/env python3
"""Measures the tools beside what people use today, all in one run, and writes RESULTS.md and the plots.

Needs the tools and hyperfine 1.20 on the PATH; peers.sh installs what it can of the rest. A peer that is missing is
named as missing. BENCH_SHORT=1 takes a tenth of the runs, to try a change of this script."""

import contextlib
import datetime
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plots
from measure import (compare, finish, instructions, is_there, median, peak, read_peak, run, run_pipeline, spawn, spread,
                     system_calls, with_peak)

HERE = Path(__file__).resolve().parent
SHORT = "BENCH_SHORT" in os.environ
NEEDED = ["ring", "hyperfine", "valgrind", "strace", "openssl", "/usr/bin/time", "taskset"]
TOOLS = sorted(file.stem for file in (HERE.parent.parent / "src/bin").glob("*.rs"))
ENDPOINT = "https://id.example/authorize"
URL = f"pkce-url --client-id cli --authorization-endpoint {ENDPOINT} --scope openid"
# What the peers are, for the list of versions: how each says its own.
VERSIONS = {
    "curl": "curl --version", "openssl": "openssl version", "jq": "jq --version", "node": "node --version",
    "kubelogin": "kubelogin version", "oauth2c": "oauth2c version", "oidc-cli": "oidc-cli version",
    "git-credential-oauth": "git-credential-oauth version", "step": "step version", "oidc-token": "oidc-token --version",
    "parallel": "parallel --version", "hyperfine": "hyperfine --version", "valgrind": "valgrind --version",
}

text = []  # the lines of RESULTS.md
figures = {}  # name -> value, for the table of targets and the plots


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


def write(file, content, mode=0o600):
    path = Path(file)
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


def output(command, stdin=None):
    return subprocess.run(command, shell=True, input=stdin, capture_output=True, text=True, check=True).stdout


# ---- what the measuring needs: files, servers, stored logins ----


@contextlib.contextmanager
def a_program_that_runs(argv, first_line):
    """A server in the background, and the first line that it prints."""
    server = subprocess.Popen(argv, stdout=subprocess.PIPE if first_line else subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        yield server, server.stdout.readline() if first_line else ""
    finally:
        server.kill()
        server.wait()


def prepare_browser():
    """A browser that returns at once and follows the redirects in the background, by the names that peers call it."""
    os.mkdir("bin")
    write("bin/xdg-open", '#!/bin/sh\npkce-idp --visit "$1" >/dev/null 2>&1 &\n', 0o700)
    os.environ["PATH"] = f"{os.getcwd()}/bin:{os.environ['PATH']}"
    os.environ["BROWSER"] = "xdg-open"


def prepare_documents():
    write("new.json", output("pkce-gen"))
    write("new-url.json", output(URL, Path("new.json").read_text(encoding="utf-8")))
    kept = {"token_endpoint": "https://id.example/token", "access_token": "a" * 800, "token_type": "Bearer",
            "expires_at": 4000000000}
    output("pkce-store kept", str(kept).replace("'", '"'))


def prepare_certificates():
    """A certificate authority of this run, a certificate for localhost, and the system's bundle with this authority."""
    output("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 "
           "-subj /CN=bench 2>/dev/null")
    output("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr "
           "-subj /CN=localhost 2>/dev/null")
    write("san", "subjectAltName=DNS:localhost\n")
    output("openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile san -out server.pem 2>/dev/null")
    bundles = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]
    bundle = next((each for each in bundles if each.exists()), None)
    write("system.pem", (bundle.read_text(encoding="utf-8") if bundle else "") + Path("ca.pem").read_text())


# ---- 1. start and finish ----

RECIPE = ("v=$(openssl rand -base64 32 | tr -d '=\\n' | tr '+/' '-_'); printf %s \"$v\" | "
          "openssl dgst -sha256 -binary | openssl base64 -A | tr -d '=' | tr '+/' '-_'")


def starts_and_finishes(oidc_agent_is_ready, kubelogin_cached):
    section("Start and finish")
    commands = {
        "true": "/bin/true", "pkce-gen": "pkce-gen", "pkce-url": URL, "pkce-load": "pkce-load kept",
        "pkce-token": "pkce-token kept", "git-credential-oauth": "git-credential-oauth version",
        "oidc-cli": "oidc-cli version", "oauth2c": "oauth2c version", "openssl": "openssl rand 32",
        "oidc-token": "oidc-token kept", "kubelogin": kubelogin_cached, "curl": "curl -V", "step": "step version",
        "jq": "jq -c .", "node": "node -e 0", "recipe": "sh recipe.sh", "true again": "/bin/true",
    }
    write("recipe.sh", RECIPE + "\n")
    if "STATIC" in os.environ:
        commands["pkce-gen, static"] = f"{os.environ['STATIC']}/pkce-gen"
    peers = [name for name in commands if name in VERSIONS]
    there = {name: command for name, command in commands.items() if name not in peers or is_there(name)}
    if not oidc_agent_is_ready:
        there.pop("oidc-token", None)
    for name, command in list(there.items()):
        with open("new.json", "rb") as stdin:
            if subprocess.run(shlex.split(command), stdin=stdin, capture_output=True, check=False).returncode != 0:
                say(f"`{command}` fails on this machine, and is left out.", "")
                del there[name]
    slow = [name for name in ("node", "jq", "step", "recipe", "curl") if name in there]
    fast = [name for name in there if name not in slow]
    times = compare({name: there[name] for name in fast}, "new.json", few(300))
    times |= compare({name: there[name] for name in ["true", *slow]}, "new.json", few(50)) | {"true": times["true"]}
    true = median(times["true"])
    say("`hyperfine -N --input new.json`, in five rounds of all commands: 300 runs of the fast ones, 50 of the others.",
        "Milliseconds, the quartiles, and the ratio to the first `/bin/true`; the second one shows the noise.",
        f"The recipe is `{RECIPE}`, which gives the verifier and its challenge and nothing else.")
    order = sorted(there, key=lambda name: median(times[name]))
    shown = there | {"kubelogin": without_ports(kubelogin_cached), "pkce-gen, static": "pkce-gen, linked statically"}
    rows = [row_of_times(shown[name], times[name], true) for name in order]
    table(["command", "median, ms", "quartiles", "of /bin/true"], rows)
    missing(peers)
    for name in there:
        figures[f"start {name}"] = median(times[name]) / true
        figures[f"ms {name}"] = median(times[name]) * 1000
    figures["noise"] = median(times["true again"]) / true


# ---- 2. one request over HTTPS ----


def posts_over_https(port):
    section("One POST over HTTPS")
    endpoint = f"https://localhost:{port}/token"
    write("post.json", output("pkce-gen").rstrip("}\n") + f', "token_endpoint": "{endpoint}", "client_id": "cli", '
          '"redirect_uri": "http://127.0.0.1/callback", "code": "c", "refresh_token": "r"}\n')
    write("body", "grant_type=refresh_token&refresh_token=r&client_id=cli")
    settings = {
        "one CA": {"SSL_CERT_FILE": "ca.pem"},
        "the system's CAs": {"SSL_CERT_FILE": "system.pem"},
        "the system's CAs, file and directory": {"SSL_CERT_FILE": "system.pem", "SSL_CERT_DIR": "/etc/ssl/certs"},
    }
    rows = []
    for setting, variables in settings.items():
        os.environ.update(variables)
        commands = {"pkce-exchange": "pkce-exchange", "pkce-refresh": "pkce-refresh"}
        if is_there("curl"):
            directory = " --capath /etc/ssl/certs" if "SSL_CERT_DIR" in variables else ""
            commands["curl"] = f"curl -s -S -f --cacert {variables['SSL_CERT_FILE']}{directory} --data @body {endpoint}"
        times = compare(commands, "post.json", few(100))
        beside = median(times[list(commands)[-1]])
        for name, command in commands.items():
            argv = shlex.split(command)
            memory = peak(argv, "post.json", few(11))
            opened = system_calls(argv, "post.json", "openat,open")
            rows.append([setting, *row_of_times(without_ports(command), times[name], beside),
                         f"{memory:,.0f}", opened])
            figures[f"{setting}: {name}"] = median(times[name])
            figures[f"{setting}: {name} KiB"] = memory
        for name in variables:
            del os.environ[name]
    count = output("grep -c BEGIN system.pem").strip()
    say("The same server on this machine for all, which gives each request the same response (TLS 1.3, a P-256 key); its",
        "time is in each figure. `SSL_CERT_FILE` names the certificates, as curl's options do: `ca.pem` holds the one of this",
        f"run, `system.pem` that one after the system's, {count} in all; for the last rows `SSL_CERT_DIR` is /etc/ssl/certs",
        "as well. `hyperfine -N --input post.json`, 100 runs in five rounds; the peak by GNU time, the",
        "files by `strace -f -e trace=openat,open`.")
    table(["certificates", "command", "median, ms", "quartiles", "of curl", "peak, KiB", "files opened"], rows)
    missing(["curl"])


# ---- 3. a whole login ----

LOGIN = [["pkce-discover"], ["pkce-gen", "-"], ["pkce-url", "--scope", "openid"], ["pkce-callback"], ["pkce-exchange"],
         ["pkce-verify"]]


def logins_of_others(issuer, port):
    """The command of each peer that logs in, with the same server, client, scope and browser."""
    base = f"http://127.0.0.1:{port}"
    for name, value in {"ClientId": "pkce-tools", "Scopes": "openid", "AuthURL": "/authorize", "TokenURL": "/token",
                        "RedirectURL": f"{base}/callback"}.items():
        if is_there("git"):
            output(f"git config --global credential.{issuer}.oauth{name} {value}")
    write("ask-git", f"protocol=http\nhost={issuer.removeprefix('http://')}\n")
    return {
        "kubelogin": f"kubelogin get-token --oidc-issuer-url={issuer} --oidc-client-id=pkce-tools --listen-address="
                     f"127.0.0.1:{port} --browser-command=xdg-open --force-refresh --token-cache-dir=kubelogin",
        "git-credential-oauth": "git-credential-oauth get",
        "oidc-cli": f"oidc-cli authorization_code --issuer {issuer} --client-id pkce-tools --pkce "
                    f"--callback-uri {base}/callback",
        "node": "node article.mjs",
        "oauth2c": f"oauth2c {issuer} --client-id pkce-tools --grant-type authorization_code --auth-method none "
                   f"--response-types code --response-mode query --pkce --scopes openid "
                   f"--redirect-url {base}/callback --silent --no-prompt",
    }


def logs_in(issuer, port, others):
    section("A whole login without a person")
    os.environ.update(ISSUER=issuer, CLIENT_ID="pkce-tools", PORT=str(port))
    write("login.sh", " | ".join(shlex.join(step) for step in LOGIN) + "\n")
    write("article.mjs", (HERE / "article.mjs").read_text(encoding="utf-8"))
    commands = {"pkce-tools": "sh login.sh"} | {name: each for name, each in others.items() if is_there(name)}
    stdin = {"git-credential-oauth": "ask-git"}
    times, cpu, memory, largest, failed = {}, {}, {}, {}, {}
    for name, command in list(commands.items()):
        status, took, _ = run(shlex.split(command), stdin.get(name, "/dev/null"), stderr="login.log")
        if status != 0:
            say(f"`{name}` could not log in: status {status}.", "")
            del commands[name]
        times[name], cpu[name], failed[name] = [], [], 0
    for number in range(few(40)):
        for name, command in commands.items():
            if name == "oauth2c" and number >= few(10):
                continue
            status, took, used = run(shlex.split(command), stdin.get(name, "/dev/null"))
            failed[name] += status != 0
            times[name].append(took)
            if name == "pkce-tools":
                statuses, each = run_pipeline(LOGIN)
                assert not any(statuses), statuses
                used = sum(each)
            cpu[name].append(used)
    for name, command in commands.items():
        if name == "pkce-tools":
            peaks = []
            for _ in range(few(10)):
                run_pipeline([with_peak(step, f"peak.{number}") for number, step in enumerate(LOGIN)])
                peaks.append([read_peak(f"peak.{number}") for number in range(len(LOGIN))])
            memory[name], largest[name] = median([sum(each) for each in peaks]), median([max(each) for each in peaks])
        else:
            memory[name] = largest[name] = peak(shlex.split(command), stdin.get(name, "/dev/null"), few(5) + 1)
    ours = median(times["pkce-tools"])
    say("The server of all is `pkce-idp --auto-approve` on this machine, over http; the browser of all is a script that",
        "starts `pkce-idp --visit URL &` and returns at once. In turn, 40 runs of each (10 of oauth2c). CPU time is the",
        "kernel's account of the program and of the children that it waited for; that of ours is of the six processes",
        "together, started without a shell, and the wall time is with the shell. Memory is the peak of each process by",
        "GNU time: the sum of the six, and the largest. kubelogin and ours verify the ID token; the others do not.")
    rows = []
    for name in sorted(commands, key=lambda each: median(times[each])):
        first, third = spread(times[name])
        rows.append([name, ms(median(times[name])), f"{ms(first)}–{ms(third)}", f"{median(times[name]) / ours:.2f}",
                     ms(median(cpu[name])), f"{memory[name]:,.0f}", f"{largest[name]:,.0f}", failed[name]])
        figures[f"login {name}"] = median(times[name])
        figures[f"login {name} CPU"] = median(cpu[name])
        figures[f"login {name} KiB"] = memory[name]
    table(["program", "wall, ms", "quartiles", "of ours", "CPU, ms", "memory, KiB", "largest, KiB", "failed"],
          rows)
    say("", "Commands:", "")
    shown = {"pkce-tools": Path("login.sh").read_text(encoding="utf-8").strip(), "node": "node article.mjs"} | {
        name: without_ports(each) for name, each in others.items()}
    say(*(f"- {name}: `{command}`" for name, command in shown.items()))
    missing(others)


# ---- 4. streams ----

JQ = ('. + {client_id: "cli", redirect_uri: "http://127.0.0.1:0/callback", scope: "openid", authorization_endpoint: '
      f'"{ENDPOINT}"' '} | .authorization_url = .authorization_endpoint + "?response_type=code&client_id=" + '
      '(.client_id | @uri) + "&redirect_uri=" + (.redirect_uri | @uri) + "&scope=" + (.scope | @uri) + "&state=" + '
      '.state + "&nonce=" + .nonce + "&code_challenge=" + .code_challenge + "&code_challenge_method=S256"')


def rates(work, rounds=3):
    """Documents for each second of CPU time, on the first processor, of each command; in turn."""
    used = {name: [] for name in work}
    for _ in range(rounds):
        for name, (argv, stdin, _) in work.items():
            status, _, cpu = run(["taskset", "-c", "0", *argv], stdin)
            assert status == 0, f"{name}: status {status}"
            used[name].append(cpu)
    return {name: count / median(used[name]) for name, (_, _, count) in work.items()}


def streams():
    section("Streams on one core")
    many, fewer = few(1_000_000), few(100_000)
    seeds = f"head -c {96 * many} /dev/urandom"
    run(["pkce-gen", "--count", str(fewer)], stdout="documents")
    write("url.jq", JQ + "\n")
    work = {"gen": (["pkce-gen", "--count", str(many)], "/dev/null", many), "seeds": (seeds.split(), "/dev/null", many),
            "url": (shlex.split(URL), "documents", fewer)}
    if is_there("jq"):
        output("head -n 100 documents >some")
        same = output(f"{URL} <some | jq -S -c .") == output("jq -S -c -f url.jq some")
        work["jq"] = (["jq", "-c", "-f", "url.jq"], "documents", fewer)
    found = rates(work)
    rows = [[f"`pkce-gen --count {many}`", f"{found['gen']:,.0f}", ""],
            [f"`{seeds}`: 32 octets each for verifier, state, nonce", f"{found['seeds']:,.0f}",
             f"{found['gen'] / found['seeds']:.2f}"],
            [f"`{URL} <documents`", f"{found['url']:,.0f}", ""]]
    if "jq" in found:
        note = "the same documents" if same else "other documents, so compare with care"
        figures["url of jq"] = found["url"] / found["jq"]
        rows.append([f"`jq -c -f url.jq <documents`: {note}", f"{found['jq']:,.0f}", f"{figures['url of jq']:.2f}"])
    say("Documents in a second of CPU time, each on `taskset -c 0`, to /dev/null; medians of three runs. The last column",
        "is the rate of ours as a ratio to this one.")
    table(["command", "a second", "ours of it"], rows)
    if "jq" in found:
        say("", f"url.jq: `{JQ}`")
    missing(["jq"])
    figures.update({f"rate {name}": value for name, value in found.items()})
    verifies_streams()


def verifies_streams():
    output("ring .")
    rows = []
    for alg in ("RS256", "PS384", "ES256"):
        verify = ["pkce-verify", "--jwks", f"{alg}.jwks", "--now", "1800000000"]
        bare = ["ring", alg, "10000"]
        found = rates({"ours": (verify, f"{alg}.documents", 10_000), "ring": (bare, "/dev/null", 10_000)}, few(50))
        figures[f"verify {alg}"] = found["ours"] / found["ring"]
        figures[f"rate verify {alg}"], figures[f"rate ring {alg}"] = found["ours"], found["ring"]
        rows.append([f"`{shlex.join(verify)} <{alg}.documents`", f"{found['ours']:,.0f}", f"`{shlex.join(bare)}`",
                     f"{found['ring']:,.0f}", f"{figures[f'verify {alg}']:.2f}"])
    say("", "ID tokens, 10,000 in a stream, and the signatures that ring checks alone (tests/bench/ring.rs); medians of",
        "five runs in turn.")
    table(["command", "tokens a second", "beside", "signatures a second", "of ring"], rows)


# ---- 5. growth ----


def grows_with_documents():
    section("More documents")
    say("Wall time and peak memory as the stream grows; the documents come through a pipe. The time of pkce-url is CPU",
        "time, since pkce-gen, which feeds it, has the other core.")
    rows = []
    limit = 100_000 if SHORT else 1_000_000
    for count in [each for each in (1, 1000, 100_000, 1_000_000) if each <= limit]:
        took, memory = {}, {}
        source = ["pkce-gen", "--count", str(count)]
        _, took["gen"], _ = run(with_peak(source))
        memory["gen"] = read_peak()
        _, each = run_pipeline([source, with_peak(shlex.split(URL))])
        took["url"], memory["url"] = each[1], read_peak()
        if count <= 100_000:
            feed = ["head", "-n", str(count), *["ES256.documents"] * max(1, count // 10_000), "-q"]
            _, each = run_pipeline([feed, with_peak(["pkce-verify", "--jwks", "ES256.jwks", "--now", "1800000000"])])
            took["verify"], memory["verify"] = each[1], read_peak()
        rows.append([f"{count:,}"] + [f"{ms(took[name])} · {memory[name]:,}" if name in took else "–"
                                      for name in ("gen", "url", "verify")])
        for name, value in memory.items():
            figures[f"KiB {name} {count}"] = value
    table(["documents", "gen: ms · KiB", "url: ms · KiB", "verify ES256: ms · KiB"], rows)
    for name, most in (("gen", limit), ("url", limit), ("verify", 100_000)):
        figures[f"memory {name}"] = figures[f"KiB {name} {most}"] / figures[f"KiB {name} 1000"]


def logs_in_many_at_once():
    section("Many logins at once")
    write("one.sh", "read -r go <&3\nexec 3<&-\npkce-gen idp.json | pkce-url --scope openid | "
          "pkce-callback --timeout 60 | pkce-exchange | pkce-verify >/dev/null\n")
    rows = []
    for count in (1, 10, 100, 1000) if not SHORT else (1, 10, 100):
        with a_program_that_runs(["pkce-idp", "--auto-approve"], True) as (idp, document):
            write("idp.json", document)
            gate, opener = os.pipe()
            closed = [(os.POSIX_SPAWN_DUP2, gate, 3)]
            pids = [spawn(["sh", "one.sh"], stderr=f"said.{number % 1000}", extra=closed) for number in range(count)]
            time.sleep(0.1 + count / 1000)
            start = time.perf_counter()
            os.close(gate)
            os.close(opener)
            lost = sum(finish(pid)[0] != 0 for pid in pids)
            took = time.perf_counter() - start
            status = Path(f"/proc/{idp.pid}/status").read_text(encoding="ascii")
            memory = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        rows.append([f"{count:,}", lost, f"{took:.2f}", ms(took / count), f"{memory:,}"])
        figures[f"lost {count}"], figures[f"each of {count}"] = lost, took / count
    say("Each login is a shell with five processes and a browser of its own, at one pkce-idp; all shells wait for one",
        "pipe to be closed and begin together: `pkce-gen idp.json | pkce-url --scope openid | pkce-callback --timeout 60 |",
        "pkce-exchange | pkce-verify`. One whose browser got nowhere is lost after that minute, and the figures show it.")
    table(["logins at once", "lost", "seconds", "ms for each", "peak of pkce-idp, KiB"], rows)


def uses_two_cores():
    section("GNU parallel on two cores")
    say("Wall time with one job and with two; medians of three runs. The last command splits the output of pkce-gen, which",
        "takes a core itself.")
    if not is_there("parallel"):
        missing(["parallel"])
        return
    os.makedirs(".parallel", exist_ok=True)
    write(".parallel/will-cite", "")
    rows = []
    output("for part in 1 2 3 4 5; do cat ES256.documents; done >tokens")
    verify = "pkce-verify --jwks ES256.jwks --now 1800000000"
    for file, command in (("documents", URL), ("tokens", verify)):
        took = {}
        for jobs in (1, 2):
            argv = ["parallel", "-j", str(jobs), "--block", "-2", "--pipepart", "-a", file, command]
            took[jobs] = median([run(argv)[1] for _ in range(3)])
        rows.append([f"`{shlex.join(argv)}`", ms(took[1]), ms(took[2]), f"{took[1] / took[2]:.2f}"])
        figures[f"parallel {file}"] = took[1] / took[2]
    piped = "pkce-gen --count {} | parallel --pipe -j {} --block 4M '{}' >/dev/null"
    took = {jobs: median([run(["sh", "-c", piped.format(few(200_000), jobs, URL)])[1] for _ in range(3)])
            for jobs in (1, 2)}
    rows.append([f"`{piped.format(few(200_000), 2, URL)}`", ms(took[1]), ms(took[2]), f"{took[1] / took[2]:.2f}"])
    table(["command", "-j 1, ms", "-j 2, ms", "times as fast"], rows)


# ---- 6. pkce-token at once ----


def refreshes_once():
    section("A hundred pkce-token at once")
    with a_program_that_runs(["pkce-idp", "--auto-approve"], True) as (_, document):
        write("idp.json", document)
        output("pkce-gen idp.json | pkce-url --scope 'openid offline_access' --prompt consent | pkce-callback 2>/dev/null "
               "| pkce-exchange | pkce-verify | pkce-store shared")
        rows = []
        for expired in (False, True):
            if expired:
                output("pkce-load shared | sed 's/\"expires_at\":[0-9]*/\"expires_at\":1/' | pkce-store shared")
            os.environ["PKCE_TRACE"] = "1"
            start = time.perf_counter()
            pids = [spawn(["pkce-token", "shared"], stdout=f"token.{number}", stderr=f"said.{number}")
                    for number in range(100)]
            failed = sum(finish(pid)[0] != 0 for pid in pids)
            took = time.perf_counter() - start
            del os.environ["PKCE_TRACE"]
            requests = sum("POST" in Path(f"said.{number}").read_text(encoding="utf-8") for number in range(100))
            tokens = len({Path(f"token.{number}").read_text(encoding="utf-8") for number in range(100)})
            rows.append(["expired" if expired else "valid", 100 - failed, tokens, requests, ms(took)])
            if expired:
                figures["refreshes"], figures["refresh failures"] = requests, failed
    say("`PKCE_TRACE=1 pkce-token shared`, 100 started at once; the requests are those in the traces of all.")
    table(["stored token", "succeeded", "different tokens", "refresh requests", "ms for all"], rows)


# ---- 7. sizes and counts ----


def sizes():
    section("Sizes")
    byte = {tool: Path(shutil.which(tool)).stat().st_size for tool in TOOLS}
    tls = {tool for tool in TOOLS if b"tls13 " in Path(shutil.which(tool)).read_bytes()}
    static = Path(os.environ["STATIC"]) if "STATIC" in os.environ else None
    rows = [[tool, "yes" if tool in tls else "no", f"{byte[tool]:,}",
             f"{(static / tool).stat().st_size:,}" if static else "–"] for tool in TOOLS]
    rows.append(["all", "", f"{sum(byte.values()):,}", ""])
    say("Bytes of the stripped files as `make install` installs them; linked dynamically, and statically where STATIC",
        "names a directory of such a build.")
    table(["tool", "TLS", "bytes", "static"], rows)
    peers = [name for name in VERSIONS if name not in ("hyperfine", "valgrind", "parallel") and is_there(name)]
    table(["peer", "bytes"], [[name, f"{os.stat(os.path.realpath(shutil.which(name))).st_size:,}"] for name in peers])
    say("", "curl, openssl, jq and oidc-token share libraries that are not counted.")
    figures["bytes without TLS"] = max(size for tool, size in byte.items() if tool not in tls)
    figures["bytes with TLS"] = max(size for tool, size in byte.items() if tool in tls and tool != "pkce-idp")
    figures["bytes pkce-idp"] = byte["pkce-idp"]


def counts():
    section("Counts that do not waver")
    verify = "pkce-verify --jwks ES256.jwks --now 1800000000"
    output("head -n 1 ES256.documents >token.json")
    rows = []
    for command, stdin in (("/bin/true", "new.json"), ("pkce-gen", "new.json"), (URL, "new.json"),
                           ("pkce-load kept", "new.json"), ("pkce-token kept", "new.json"), (verify, "token.json")):
        argv = shlex.split(command)
        rows.append([f"`{command}`", f"{instructions(argv, stdin):,}", system_calls(argv, stdin),
                     f"{peak(argv, stdin):,.0f}"])
    say("One run of each: instructions in user space by `valgrind --tool=callgrind`, the dynamic loader's included; system",
        "calls by `strace -f`; the peak of memory by GNU time.")
    table(["command", "instructions", "system calls", "peak, KiB"], rows)


# ---- 8. what was to be reached ----


def targets():
    """Each target: what, its figure, the limit, whether more is better, and how to print it."""
    ratio, whole = "{:.3g}".format, "{:,.0f}".format

    def of(name, beside):
        return figures[name] / figures[beside] if name in figures and beside in figures else None

    def plus(name, more):
        return figures[name] + more if name in figures else None

    login, other = "login pkce-tools", "login kubelogin"
    system, one = "the system's CAs", "one CA"
    rows = [(f"start: {tool}, of /bin/true", figures.get(f"start {tool}"), 1.4, False, ratio)
            for tool in ("pkce-gen", "pkce-url", "pkce-load", "pkce-token")]
    rows += [("pkce-gen --count, a second", figures["rate gen"], 1_000_000, True, whole),
             ("pkce-url, of jq's rate", figures.get("url of jq"), 10, True, ratio)]
    rows += [(f"pkce-verify {alg}, of ring's rate", figures.get(f"verify {alg}"), 0.85, True, ratio)
             for alg in ("RS256", "ES256")]
    rows += [(f"memory of {name}, last of 1,000 documents", figures[f"memory {name}"], 1.1, False, ratio)
             for name in ("gen", "url", "verify")]
    rows += [("exchange, of curl: the system's CAs", of(f"{system}: pkce-exchange", f"{system}: curl"), 1 / 7, False, ratio),
             ("exchange, of curl: one CA", of(f"{one}: pkce-exchange", f"{one}: curl"), 1 / 3, False, ratio),
             ("exchange, of curl: memory", of(f"{system}: pkce-exchange KiB", f"{system}: curl KiB"), 1 / 3, False, ratio),
             ("exchange: both variables, of one (0.05 is noise)",
              of("the system's CAs, file and directory: pkce-exchange", f"{system}: pkce-exchange"), 1.05, False, ratio),
             ("login: CPU of six, of kubelogin", of(f"{login} CPU", f"{other} CPU"), 1, False, ratio),
             ("login: memory of six, of kubelogin", of(f"{login} KiB", f"{other} KiB"), 1, False, ratio),
             ("login: wall, of kubelogin and 10 ms",
              figures[login] / plus(other, 0.010) if other in figures else None, 1, False, ratio),
             ("login: wall, of the Node program", of(login, "login node"), 1 / 6, False, ratio),
             ("largest tool without TLS, bytes", figures["bytes without TLS"], 600_000, False, whole),
             ("largest tool with TLS, bytes", figures["bytes with TLS"], 1_700_000, False, whole),
             ("pkce-idp, bytes", figures["bytes pkce-idp"], 2_000_000, False, whole),
             ("logins lost of 1,000", figures.get("lost 1000"), 0, False, whole),
             ("time for each of 1,000 logins, of 100", of("each of 1000", "each of 100"), 1.2, False, ratio),
             ("refresh requests of 100 pkce-token", figures["refreshes"], 1, False, whole)]
    return rows


def compares_with_targets():
    """The first section of the page; the reasons are kept by hand in notes.md, one line each: `- target: reason`."""
    notes = {}
    for line in (HERE / "notes.md").read_text(encoding="utf-8").splitlines():
        name, found, reason = line.removeprefix("- ").partition(" — ")
        if found:
            notes[name] = reason
    rows = []
    for name, value, limit, more, form in targets():
        if value is None:
            rows.append([name, "–", form(limit), "not measured", notes.get(name, "")])
            continue
        reached = value >= limit if more else value <= limit
        rows.append([name, form(value), f"{'≥' if more else '≤'} {form(limit)}", "yes" if reached else "**no**",
                     "" if reached else notes.get(name, "")])
    lines = list(text)
    text.clear()
    say("## Targets", "", f"Noise: the second `/bin/true` took {figures['noise']:.2f} times the first.")
    table(["what", "figure", "limit", "reached", "if not, why"], rows)
    say("", *(f"![{alt}]({name}.svg)" for name, alt in PLOTS.items()))
    text.extend(lines)


PLOTS = {"start": "How long each program takes to start and finish",
         "login": "Wall time, CPU time and memory of one whole login",
         "streams": "Documents in a second, ours beside jq and ring"}


# ---- the page ----


def the_machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    versions = [f"{name} {version(name, command)}" for name, command in VERSIONS.items()]
    own = output("pkce-gen --version").split()[1]
    commit = output(f"git -C {shlex.quote(str(HERE))} rev-parse --short HEAD").strip()
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


@contextlib.contextmanager
def an_oidc_agent(port):
    """An oidc-agent with a kept token of the server of this run; whether that worked."""
    if not is_there("oidc-agent") or not is_there("oidc-gen"):
        yield False
        return
    agent = output("oidc-agent")
    os.environ["OIDC_SOCK"] = re.search(r"OIDC_SOCK=([^;]+)", agent)[1]
    os.environ["OIDC_ENCRYPTION_PW"] = "bench"
    os.makedirs(".oidc-agent", mode=0o700, exist_ok=True)
    done = subprocess.run(
        ["oidc-gen", "--manual", f"--issuer=http://127.0.0.1:{port}", "--client-id=cli", "--client-secret=s", "--rt=r",
         "--redirect-uri=http://localhost:8080", "--scope=openid", "--confirm-yes", "--prompt=none", "--pw-env",
         "--no-url-call", "kept"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    try:
        yield done.returncode == 0
    finally:
        os.kill(int(re.search(r"OIDCD_PID=(\d+)", agent)[1]), signal.SIGTERM)
        shutil.rmtree(Path(os.environ["OIDC_SOCK"]).parent, ignore_errors=True)
        del os.environ["OIDC_SOCK"], os.environ["OIDC_ENCRYPTION_PW"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def measure_all():
    prepare_browser()
    prepare_documents()
    prepare_certificates()
    port = free_port()
    redirects = [f"--redirect-uri=http://{host}:{port}{path}" for host in ("127.0.0.1", "localhost") for path in ("", "/callback")]
    server = [sys.executable, str(HERE / "server.py"), "server.pem", "server.key"]
    with a_program_that_runs(server, True) as (_, ports), \
            a_program_that_runs(["pkce-idp", "--auto-approve", *redirects], True) as (_, document):
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


def main():
    absent = [program for program in NEEDED if not is_there(program)]
    if absent:
        sys.exit("bench: missing: " + ", ".join(absent) + " (tests/bench/peers.sh says where they come from)")
    kept = {name: os.environ[name] for name in ("PATH", "STATIC") if name in os.environ}
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
    page = ["# Results of `make bench`", "", "Written by tests/bench/run.py, in one run; medians. Do not edit: the reasons "
            "are kept in notes.md.", "", *machine, f"- Measured in {(time.monotonic() - began) / 60:.0f} minutes{', with a tenth of the runs' if SHORT else ''}.", ""]
    (HERE / "RESULTS.md").write_text("\n".join([*page, *text]) + "\n", encoding="utf-8")
    plots.draw(HERE, figures)


main()
