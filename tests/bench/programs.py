"""Single runs: how long they take, what they need, and a whole login of them."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from measure import (compare, instructions, is_there, median, peak, read_peak, run, run_pipeline, spread, system_calls,
                     with_peak)
from page import figures, few, missing, ms, row_of_times, say, section, table, without_ports
from prepare import URL, output, write

HERE = Path(__file__).resolve().parent
TOOLS = sorted(file.stem for file in (HERE.parent.parent / "src/bin").glob("*.rs"))
# What the peers are, for the list of versions: how each says its own.
VERSIONS = {
    "curl": "curl --version", "openssl": "openssl version", "jq": "jq --version", "node": "node --version",
    "kubelogin": "kubelogin version", "oauth2c": "oauth2c version", "oidc-cli": "oidc-cli version",
    "git-credential-oauth": "git-credential-oauth version", "step": "step version", "oidc-token": "oidc-token --version",
    "parallel": "parallel --version", "hyperfine": "hyperfine --version", "valgrind": "valgrind --version",
}


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
    if "DYNAMIC" in os.environ:
        commands["pkce-gen, dynamic"] = f"{os.environ['DYNAMIC']}/pkce-gen"
    peers = [name for name in commands if name in VERSIONS]
    there = {name: command for name, command in commands.items() if name not in peers or is_there(name)}
    if "oidc-token" in there and not oidc_agent_is_ready:
        say("`oidc-gen` could not set up its account, so `oidc-token` is left out.", "")
        del there["oidc-token"]
    for name, command in list(there.items()):
        with open("new.json", "rb") as stdin:
            if subprocess.run(shlex.split(command), stdin=stdin, capture_output=True, check=False).returncode != 0:
                say(f"`{command}` fails on this machine, and is left out.", "")
                del there[name]
    slow = [name for name in ("node", "jq", "step", "recipe", "curl") if name in there]
    fast = [name for name in there if name not in slow]
    times = compare({name: there[name] for name in fast}, "new.json", few(300))
    times |= compare({name: there[name] for name in slow}, "new.json", few(50)) if slow else {}
    true = median(times["true"])
    say("`hyperfine -N --input new.json`, in five rounds of all commands: 300 runs of the fast ones, 50 of the others.",
        "Milliseconds, the quartiles, and the ratio to the first `/bin/true`; the second one shows the noise.",
        "The documents of pkce-load and pkce-token have a token of 800 octets that is valid for long; oidc-token has one of",
        "the server of the next section, kubelogin one of pkce-idp in its cache.",
        f"The recipe is `{RECIPE}`, which gives the verifier and its challenge and nothing else.")
    order = sorted(there, key=lambda name: median(times[name]))
    shown = there | {"kubelogin": without_ports(kubelogin_cached), "pkce-gen, dynamic": "pkce-gen, linked dynamically"}
    rows = [row_of_times(shown[name], times[name], true) for name in order]
    table(["command", "median, ms", "quartiles", "of /bin/true"], rows)
    missing(peers)
    for name in there:
        figures[f"start {name}"] = median(times[name]) / true
        figures[f"ms {name}"] = median(times[name]) * 1000
    figures["noise"] = median(times["true again"]) / true


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
        "node": "node article.cjs",
        "oauth2c": f"timeout 20 oauth2c {issuer} --client-id pkce-tools --grant-type authorization_code --auth-method none "
                   f"--response-types code --response-mode query --pkce --scopes openid "
                   f"--redirect-url {base}/callback --silent --no-prompt",
    }


def logs_in(issuer, port, others):
    section("A whole login without a person")
    os.environ.update(ISSUER=issuer, CLIENT_ID="pkce-tools", PORT=str(port))
    write("login.sh", " | ".join(shlex.join(step) for step in LOGIN) + "\n")
    write("article.cjs", (HERE / "article.cjs").read_text(encoding="utf-8"))
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
    shown = {"pkce-tools": Path("login.sh").read_text(encoding="utf-8").strip(), "node": "node article.cjs"} | {
        name: without_ports(each) for name, each in others.items()}
    say(*(f"- {name}: `{command}`" for name, command in shown.items()))
    missing(others)


def sizes():
    section("Sizes")
    installed = {tool: Path(shutil.which(tool)) for tool in TOOLS}
    tls = {tool for tool in TOOLS if b"tls13 " in installed[tool].read_bytes()}
    byte = {tool: file.stat().st_size for tool, file in installed.items()}
    # Of those that are installed as static ones, the dynamic ones are in this directory.
    dynamic = Path(os.environ.get("DYNAMIC", "/nonexistent"))
    static = {tool: byte[tool] for tool in TOOLS if (dynamic / tool).exists()}
    byte |= {tool: (dynamic / tool).stat().st_size for tool in static}
    rows = [[tool, "yes" if tool in tls else "no", f"{byte[tool]:,}",
             f"{static[tool]:,}" if tool in static else "–"] for tool in TOOLS]
    rows.append(["all", "", f"{sum(byte.values()):,}", ""])
    say("Bytes of the stripped files, linked dynamically; of those that `make install` installs linked statically, the",
        "bytes of both.")
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
