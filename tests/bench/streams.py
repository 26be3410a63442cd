"""Streams of documents: how many in a second, how they grow, and how they use two cores."""

import os
import shlex

from measure import is_there, median, read_peak, run, run_pipeline, with_peak
from page import SHORT, figures, few, missing, ms, say, section, table
from prepare import ENDPOINT, URL, output, write

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
        rows.append([f"`jq -c -f url.jq <documents`: {note}", f"{found['jq']:,.0f}", f"{found['url'] / found['jq']:.2f}"])
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
        found = rates({"ours": (verify, f"{alg}.documents", 10_000), "ring": (bare, "/dev/null", 10_000)}, 5)
        figures[f"rate verify {alg}"], figures[f"rate ring {alg}"] = found["ours"], found["ring"]
        rows.append([f"`{shlex.join(verify)} <{alg}.documents`", f"{found['ours']:,.0f}", f"`{shlex.join(bare)}`",
                     f"{found['ring']:,.0f}", f"{found['ours'] / found['ring']:.2f}"])
    say("", "ID tokens, 10,000 in a stream, and the signatures that ring checks alone (tests/bench/ring.rs); medians of",
        "five runs in turn.")
    table(["command", "tokens a second", "beside", "signatures a second", "of ring"], rows)


def grows_with_documents():
    section("More documents")
    say("Time and peak memory as the stream grows: the wall time of pkce-gen, and the CPU time of pkce-url and pkce-verify,",
        "whose documents come through a pipe from a program on the other core.")
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
