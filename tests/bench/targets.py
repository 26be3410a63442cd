"""What was to be reached: the first section of the page."""

from pathlib import Path

from page import figures, say, table, text

NOTES = Path(__file__).resolve().parent / "notes.md"
PLOTS = {"start": "How long each program takes to start and finish",
         "login": "Wall time, CPU time and memory of one whole login",
         "streams": "Documents in a second, ours beside jq and ring"}


def ratio(name, beside, more=0.0):
    """One figure to another and a bit; None if either was not measured."""
    if name in figures and beside in figures:
        return figures[name] / (figures[beside] + more)
    return None


def at_most():
    """What, its figure and its limit: a ratio with a point, a count without."""
    system, one, both = "the system's CAs", "one CA", "the system's CAs, file and directory"
    login, kubelogin = "login pkce-tools", "login kubelogin"
    return [
        *((f"{tool}, start and finish: ratio to /bin/true", figures.get(f"start {tool}"), 1.4)
          for tool in ("pkce-gen", "pkce-url", "pkce-load", "pkce-token")),
        *((f"pkce-{name}, memory: the most documents to 1,000", figures.get(f"memory {name}"), 1.1)
          for name in ("gen", "url", "verify")),
        ("pkce-exchange, the system's CAs, time: ratio to curl", ratio(f"{system}: pkce-exchange", f"{system}: curl"), 1 / 7),
        ("pkce-exchange, one CA, time: ratio to curl", ratio(f"{one}: pkce-exchange", f"{one}: curl"), 1 / 3),
        ("pkce-exchange, memory: ratio to curl", ratio(f"{system}: pkce-exchange KiB", f"{system}: curl KiB"), 1 / 3),
        ("pkce-exchange, SSL_CERT_DIR set too, time: ratio to the file alone (0.05 is noise)",
         ratio(f"{both}: pkce-exchange", f"{system}: pkce-exchange"), 1.05),
        ("login, CPU time of all six: ratio to kubelogin", ratio(f"{login} CPU", f"{kubelogin} CPU"), 1.0),
        ("login, memory of all six: ratio to kubelogin", ratio(f"{login} KiB", f"{kubelogin} KiB"), 1.0),
        ("login, wall time: ratio to kubelogin and 10 ms", ratio(login, kubelogin, 0.010), 1.0),
        ("login, wall time: ratio to the Node program", ratio(login, "login node"), 1 / 6),
        ("largest tool without TLS: bytes", figures.get("bytes without TLS"), 600_000),
        ("largest tool with TLS: bytes", figures.get("bytes with TLS"), 1_700_000),
        ("pkce-idp: bytes", figures.get("bytes pkce-idp"), 2_000_000),
        ("1,000 logins at once: lost", figures.get("lost 1000"), 0),
        ("1,000 logins at once, time for each: ratio to 100", ratio("each of 1000", "each of 100"), 1.2),
        ("100 pkce-token at once: refresh requests", figures.get("refreshes"), 1),
    ]


def at_least():
    return [
        ("pkce-gen --count: documents a second", figures.get("rate gen"), 1_000_000),
        ("pkce-url, rate: ratio to jq", ratio("rate url", "rate jq"), 10.0),
        ("pkce-verify RS256, rate: ratio to ring", ratio("rate verify RS256", "rate ring RS256"), 0.85),
        ("pkce-verify ES256, rate: ratio to ring", ratio("rate verify ES256", "rate ring ES256"), 0.85),
    ]


def compares_with_targets():
    """Puts the table before what was said so far; the reasons are kept by hand in notes.md."""
    lines = NOTES.read_text(encoding="utf-8").splitlines()
    notes = dict(line.removeprefix("- ").split(" — ", 1) for line in lines if line.startswith("- "))
    rows = []
    for sign, targets in (("≥", at_least()), ("≤", at_most())):
        for name, value, limit in targets:
            form = "{:,.0f}" if isinstance(limit, int) else "{:.3g}"
            shown = f"{sign} {form.format(limit)}"
            if value is None:
                rows.append([name, "–", shown, "not measured", notes.get(name, "")])
            elif value >= limit if sign == "≥" else value <= limit:
                rows.append([name, form.format(value), shown, "yes", ""])
            else:
                rows.append([name, form.format(value), shown, "**no**", notes.get(name, "")])
    measured = list(text)
    text.clear()
    say("## Targets", "", f"Noise: the second `/bin/true` took {figures['noise']:.2f} times the first.")
    table(["what", "figure", "limit", "reached", "if not, why"], rows)
    say("", *(f"![{alt}]({name}.svg)" for name, alt in PLOTS.items()))
    text.extend(measured)
