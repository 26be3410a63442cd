"""What was to be reached: the first section of the page."""

from pathlib import Path

from page import figures, say, table, text

NOTES = Path(__file__).resolve().parent / "notes.md"
PLOTS = {"start": "How long each program takes to start and finish",
         "login": "Wall time, CPU time and memory of one whole login",
         "streams": "Documents in a second, ours beside jq and ring"}


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
    for line in NOTES.read_text(encoding="utf-8").splitlines():
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
