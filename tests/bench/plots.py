"""The plots of the benchmark, as SVG: horizontal bars, their values, and the limit as a line."""

from html import escape

STYLE = """
  .card { fill: #ffffff; stroke: #d8dee4 } text { font: 14px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  fill: #1f2328; font-variant-numeric: tabular-nums } .title { font-size: 18px; font-weight: 600 }
  .head { font-weight: 600 } .quiet { fill: #59636e } .ours { fill: #0f7b6c } .peer { fill: #aab4bf }
  .name-ours { font-weight: 600 } .limit { stroke: #c4432b; stroke-width: 2; stroke-dasharray: 5 4; fill: none }
  .limit-text { fill: #b03a24 } .gap { stroke: #ffffff; stroke-width: 5 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 } .quiet { fill: #9aa4af } .ours { fill: #35b9a3 }
    .peer { fill: #57616c } .limit { stroke: #ff8a70 } .limit-text { fill: #ff9b84 } .gap { stroke: #0d1117 } }"""
WIDTH, ROW, BAR = 820, 30, 18


class Plot:
    """A card of a fixed width that grows downwards."""

    def __init__(self, title, subtitle):
        self.parts, self.y = [], 92
        self.text(28, 40, title, "title")
        self.text(28, 64, subtitle, "quiet")
        self.label = f"{title}: {subtitle}"

    def text(self, x, y, words, kind="", anchor="start"):
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def bar(self, x, y, value, cap, width, kind, words, line=None):
        """A bar and its value, which makes way for the line of a limit; a bar longer than the cap is drawn broken."""
        length = max(2.0, width * min(value / cap, 1))
        self.parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{length:.1f}" height="{BAR}" rx="3"/>')
        if value > cap:
            at = x + length - 22
            self.parts.append(f'<path class="gap" d="M{at:.1f} {y + BAR + 3:.1f} l8 {-BAR - 6}"/>')
        after = x + length + 8
        crossed = line is not None and after - 5 < line < after + 8 * len(words)
        self.text(line + 8 if crossed else after, y + 14, words)

    def limit(self, x, top, bottom, words, anchor="start"):
        self.parts.append(f'<path class="limit" d="M{x:.1f} {top:.1f} V{bottom:.1f}"/>')
        self.text(x + (6 if anchor == "start" else 0), bottom + 18, words, "limit-text",
                  "start" if anchor == "start" else anchor)

    def save(self, file):
        height = self.y + 20
        file.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" aria-label="{escape(self.label, quote=True)}">\n<style>{STYLE}\n</style>\n'
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="10"/>\n'
            + "\n".join(self.parts) + "\n</svg>\n", encoding="utf-8")


def is_ours(name):
    return name.startswith("pkce-")


def number(value):
    """A value with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def start(figures):
    names = {"true": "/bin/true", "recipe": "openssl, tr and base64", "oidc-token": "oidc-token, kept token",
             "kubelogin": "kubelogin, kept token", "pkce-token": "pkce-token, kept token", "curl": "curl -V",
             "node": "node -e 0", "jq": "jq -c .", "openssl": "openssl rand 32"}
    values = {name.removeprefix("ms "): value for name, value in figures.items() if name.startswith("ms ")}
    values.pop("true again", None)
    plot = Plot("Start and finish", "milliseconds, medians; shorter is better, broken bars are longer than drawn")
    cap, left, width = 8, 228, 500
    top, line = plot.y, left + width * 1.4 * values["true"] / cap
    for name, value in sorted(values.items(), key=lambda each: each[1]):
        kind = "ours" if is_ours(name) else "peer"
        plot.text(left - 14, plot.y + 14, names.get(name, name), "name-ours" if is_ours(name) else "", "end")
        plot.bar(left, plot.y, value, cap, width, kind, number(value), line)
        plot.y += ROW
    plot.limit(line, top - 8, plot.y + 2, "limit of ours: 1.4 times /bin/true")
    plot.y += 22
    return plot


def login(figures):
    names = {"pkce-tools": "pkce-tools, six steps", "node": "the article's Node"}
    order = [name.split()[1] for name in figures if name.startswith("login ") and len(name.split()) == 2]
    order.sort(key=lambda name: figures[f"login {name}"])
    plot = Plot("A whole login without a person", "medians; shorter is better, broken bars are longer than drawn")
    plot.y += 24
    left, width, gap = 212, 136, 62
    kubelogin = "login kubelogin" in figures
    columns = [("wall time, ms", "", 1000, 0.010, "kubelogin + 10"), ("CPU time, ms", " CPU", 1000, 0, "kubelogin"),
               ("memory, MB", " KiB", 1024 / 1e6, 0, "kubelogin")]
    for number_of, (title, suffix, scale, more, label) in enumerate(columns):
        x = left + number_of * (width + gap)
        plot.text(x, plot.y - 16, title, "head")
        values = {name: figures[f"login {name}{suffix}"] * scale for name in order}
        limit = (figures[f"login kubelogin{suffix}"] + more) * scale if kubelogin else values["pkce-tools"]
        cap, line = 2 * limit, x + width / 2 if kubelogin else None
        for row, name in enumerate(order):
            y = plot.y + row * ROW
            if number_of == 0:
                plot.text(left - 14, y + 14, names.get(name, name), "name-ours" if is_ours(name) else "", "end")
            plot.bar(x, y, values[name], cap, width, "ours" if is_ours(name) else "peer", number(values[name]),
                     line)
        if kubelogin:
            plot.limit(line, plot.y - 8, plot.y + len(order) * ROW + 2, label)
    plot.y += len(order) * ROW + 22
    return plot


def streams(figures):
    plot = Plot("Streams on one core", "thousands of documents in a second, medians; longer is better")
    left, width = 228, 480
    groups = [("Verifier, challenge, state, nonce", [("pkce-gen", "rate gen")], 1_000_000, "limit: a million")]
    if "rate jq" in figures:
        groups.append(("Authorization URL", [("pkce-url", "rate url"), ("jq, the same URL", "rate jq")],
                       10 * figures["rate jq"], "limit: 10 times jq"))
    for alg in ("RS256", "ES256"):
        rows = [("pkce-verify", f"rate verify {alg}"), ("ring, signature alone", f"rate ring {alg}")]
        groups.append((f"ID token, {alg}", rows, 0.85 * figures[f"rate ring {alg}"], "limit: 0.85 of ring"))
    for title, rows, limit, label in groups:
        plot.text(left, plot.y + 12, title, "head")
        plot.y += 26
        cap, top = max([limit, *(figures[key] for _, key in rows)]) * 1.05, plot.y
        line = left + width * limit / cap
        for name, key in rows:
            plot.text(left - 14, plot.y + 14, name, "name-ours" if is_ours(name) else "", "end")
            plot.bar(left, plot.y, figures[key], cap, width, "ours" if is_ours(name) else "peer",
                     number(figures[key] / 1000), line)
            plot.y += ROW
        plot.limit(line, top - 6, plot.y - 4, label, "middle")
        plot.y += 34
    plot.y -= 10
    return plot


def draw(directory, figures):
    for plot in (start, login, streams):
        plot(figures).save(directory / f"{plot.__name__}.svg")
