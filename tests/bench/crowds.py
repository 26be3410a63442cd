"""Many processes at once: logins at one server, and pkce-token at one stored login."""

import os
import re
import time
from pathlib import Path

from measure import finish, spawn
from page import SHORT, figures, ms, say, section, table
from prepare import a_program_that_runs, output, write


def logs_in_many_at_once():
    section("Many logins at once")
    write("one.sh", "read -r go <&3\nexec 3<&-\npkce-gen idp.json | pkce-url --scope openid | "
          "pkce-callback --timeout 60 | pkce-exchange | pkce-verify >/dev/null\n")
    rows = []
    for count in (1, 10, 100, 1000) if not SHORT else (1, 10, 100):
        with a_program_that_runs(["pkce-idp", "--auto-approve"]) as (idp, document):
            write("idp.json", document)
            gate, opener = os.pipe()
            closed = [(os.POSIX_SPAWN_DUP2, gate, 3)]
            pids = [spawn(["sh", "one.sh"], stderr=f"said.{number % 1000}", extra=closed) for number in range(count)]
            time.sleep(0.1 + count / 1000)
            start = time.perf_counter()
            os.close(gate)
            os.close(opener)
            lost, last = 0, start
            for _ in pids:
                _, status = os.wait()
                if status == 0:
                    last = time.perf_counter()
                else:
                    lost += 1
            took = last - start
            status = Path(f"/proc/{idp.pid}/status").read_text(encoding="ascii")
            memory = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        rows.append([f"{count:,}", lost, f"{took:.2f}", ms(took / count), f"{memory:,}"])
        figures[f"lost {count}"], figures[f"each of {count}"] = lost, took / count
    say("Each login is a shell with five processes and a browser of its own, at one pkce-idp; all shells wait for one",
        "pipe to be closed and begin together: `pkce-gen idp.json | pkce-url --scope openid | pkce-callback --timeout 60 |",
        "pkce-exchange | pkce-verify`. The time is that of the last one that succeeded.")
    table(["logins at once", "lost", "seconds", "ms for each", "peak of pkce-idp, KiB"], rows)


def refreshes_once():
    section("A hundred pkce-token at once")
    with a_program_that_runs(["pkce-idp", "--auto-approve"]) as (_, document):
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
