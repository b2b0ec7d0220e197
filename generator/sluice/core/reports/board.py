"""What runs where as one page of HTML: no network, no scripts, every value escaped.

It is well-formed XML as well. The page is a function of the data of `status` alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from sluice.core.plan.cost import between, money
from sluice.core.reports.board_drawing import changes, meter, progress, rates
from sluice.core.reports.board_style import STYLE
from sluice.core.reports.status_text import hardware, notes, plain, state

Record = Mapping[str, Any]

_PAGE = Markup(
    '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n'
    '<meta charset="utf-8" />\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\" />\n"
    '<meta name="referrer" content="no-referrer" />\n'
    "<title>What runs where</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n"
    "</body>\n</html>\n"
)
_LOOKS = {"STABLE": "good", "ROLLING_BACK": "bad", "ROLLED_BACK": "bad"}
_LOOKS |= {"STEP": "mark", "WARMING": "mark", "PROMOTING": "mark", "FINALIZING": "mark"}
_NONE = Markup('<span class="none" title="not here">-</span>')


def page(found: Record, links: str | None) -> str:
    """The whole page.

    Args:
        found: what `status` gives.
        links: what paths of files begin with; None when they are not linked.
    """
    sections = [
        _head(found),
        *(_grid(found, links), _rollouts(found, links)),
        *(_environment(each, found["releases"], links) for each in found["environments"]),
        _broken(found),
    ]
    body = Markup("\n").join(section for section in sections if section)
    return str(_PAGE.format(style=Markup(STYLE), body=body))  # noqa: S704 - a constant of ours


def _head(found: Record) -> Markup:
    moving = [r for r in found["releases"] if r["rollout"]["state"] != "STABLE"]
    pulls = {p["number"] for r in found["releases"] for p in r["pulls"] or ()}
    known = all(release["pulls"] is not None for release in found["releases"])
    tiles = (
        ("environments", len(found["environments"])),
        ("releases", len(found["releases"])),
        ("rollouts under way", len(moving)),
        ("open pull requests", len(pulls) if known and found["releases"] else "unknown"),
        ("devices at the most", sum(e["devices"]["most"] for e in found["environments"])),
    )
    shown = _each('<div class="tile"><dt>{}</dt><dd>{}</dd></div>', tiles)
    at = f"as of commit {found['revision'][:12]}" if found["revision"] else "as in these files"
    missing = _each('<p class="soft">Unknown: {}: {}</p>', _plain(found["unknown"].items()))
    return Markup(
        '<header><h1>What runs where</h1><p class="soft">{}</p>{}<dl class="tiles">{}</dl></header>'
    ).format(plain(at), missing, shown)


def _grid(found: Record, links: str | None) -> Markup:
    """A row for each release, a column for each environment."""
    names = [environment["name"] for environment in found["environments"]]
    cells = {(f"{r['team']}/{r['name']}", r["environment"]): r for r in found["releases"]}
    rows = sorted({row for row, _ in cells})
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row,
            Markup().join(
                Markup("<td>{}</td>").format(_cell(cells.get((row, name)), links)) for name in names
            ),
        )
        for row in rows
    )
    head = _each('<th scope="col">{}</th>', [(name,) for name in ("release", *names)])
    return _section("Releases by environment", _table("Version and state of each", head, body))


def _cell(release: Record | None, links: str | None) -> Markup:
    if release is None:
        return _NONE
    rollout = release["rollout"]
    version = _link(release["file"], f"version {plain(release['model']['version'])}", links)
    bar = Markup() if rollout["state"] == "STABLE" else progress(rollout)
    pulls = _each(
        '<span class="note soft"> #{}{}</span>',
        [(p["number"], " waits" * p["waits"]) for p in release["pulls"] or ()],
    )
    held = Markup(' <span class="badge warn">quarantine</span>') if release["quarantine"] else ""
    return Markup("{} {}{}{}{}").format(version, _badge(release), pulls, held, bar)


def _badge(release: Record) -> Markup:
    look = _LOOKS.get(release["rollout"]["state"], "warn")
    return Markup('<span class="badge {}">{}</span>').format(look, state(release))


def _rollouts(found: Record, links: str | None) -> Markup:
    moving = [r for r in found["releases"] if r["rollout"]["state"] != "STABLE"]
    cards = Markup("\n").join(_rollout(release, links) for release in moving)
    return _section("Rollouts under way", cards) if moving else Markup()


def _rollout(release: Record, links: str | None) -> Markup:
    rollout, judgement = release["rollout"], release["judgement"]
    since = f" since {plain(rollout['since'])}" if rollout["since"] else ""
    said = _each("<p>{}</p>", [(note,) for note in notes(release)])
    counted = Markup()
    if judgement:
        rows = _each(
            '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>',
            [
                (
                    plain(gate["name"]),
                    plain(gate["verdict"] or "unknown"),
                    *(f"{gate[a]['bad']} of {gate[a]['requests']}" for a in _ARMS),
                    rates(gate),
                )
                for gate in judgement["gates"]
            ],
        )
        head = _columns("gate", "verdict", "candidate", "stable, dashed", "bad share by batch")
        counted = _table(f"Measured: {plain(judgement['file'])}", head, rows)
    return Markup('<article class="card"><h3>{}</h3><p>{}{}</p>{}{}{}</article>').format(
        _link(release["file"], release["release"], links),
        _badge(release),
        since,
        progress(rollout),
        said,
        counted,
    )


_ARMS = ("candidate", "stable")


def _environment(environment: Record, releases: Iterable[Record], links: str | None) -> Markup:
    own = [r for r in releases if r["environment"] == environment["name"]]
    rows = Markup("\n").join(_row(release, links) for release in own)
    head = _columns(
        "release", "model", "engine", "accelerator", "replicas", "state", "cost", "more"
    )
    table = _table(f"{len(own)} releases in {environment['name']}", head, rows)
    title = _link(environment["file"], environment["name"], links)
    return _section(title, _facts(environment), table)


def _facts(environment: Record) -> Markup:
    devices, cost = environment["devices"], environment["cost"]
    facts = [
        ("namespace", environment["namespace"]),
        ("cluster", environment["cluster"] or "unknown"),
        ("follows", environment["follows"] or "nothing"),
        ("review", environment["review"]),
        ("devices", between(devices["least"], devices["most"])),
        ("cost at the least", money(cost["least"])),
        ("at the most", money(cost["most"])),
        ("in a rollout", money(cost["rollout"])),
    ]
    facts += [("without a price", ", ".join(cost["unpriced"]))] if cost["unpriced"] else []
    quota = _each(
        "<div><dt>quota of {}</dt><dd>{}{}</dd></div>",
        [
            (
                plain(q["resource"]),
                f"{q['used']} of {q['quota']} at the most",
                meter(q["used"], q["quota"], q["resource"]),
            )
            for q in environment["quota"]
        ],
    )
    told = _each("<div><dt>{}</dt><dd>{}</dd></div>", _plain(facts))
    return Markup('<dl class="facts">{}{}</dl>').format(told, quota)


def _row(release: Record, links: str | None) -> Markup:
    replicas, engine = release["replicas"], release["engine"]
    cells = (
        plain(f"{release['model']['name']} {release['model']['version']}"),
        plain(f"{engine['name']} {engine['version']}"),
        plain(hardware(release["accelerator"])),
        between(replicas["least"], replicas["most"]),
        _badge(release),
        money(release["cost"]["most"]),
        _more(release),
    )
    named = _link(release["file"], f"{release['team']}/{release['name']}", links)
    shown = _each("<td>{}</td>", [(cell,) for cell in cells])
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(named, shown)


def _more(release: Record) -> Markup:
    """What there is to say beside, and how its version did before it was proposed."""
    said = _each('<p class="note">{}</p>', [(note,) for note in notes(release)])
    evaluation = release["evaluation"]
    if not evaluation:
        return said
    told = _each(
        '<p class="note"><span class="{}">{}</span> {}: {}{}</p>',
        [
            (
                *(("good", "passed") if gate["passed"] else ("warn", "not passed")),
                plain(gate["metric"]),
                _number(gate["value"]),
                f" ({_number(gate['baseline'])} before)" if gate["baseline"] is not None else "",
            )
            for gate in evaluation["gates"]
        ],
    )
    return said + told + changes(evaluation["gates"])


def _broken(found: Record) -> Markup:
    if not found["broken"]:
        return Markup()
    rows = _each(
        '<tr><th scope="row">{}</th><td>{}</td></tr>',
        [(plain(each["file"]), plain(each["reason"])) for each in found["broken"]],
    )
    table = _table("Their releases are missing above", _columns("file", "reason"), rows)
    return _section("What cannot be read", table)


def _section(title: object, *parts: Markup) -> Markup:
    return Markup("<section><h2>{}</h2>{}</section>").format(title, Markup().join(parts))


def _table(caption: str, head: Markup, body: Markup) -> Markup:
    return Markup(
        '<div class="wide"><table><caption>{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(caption, head, body)


def _columns(*names: str) -> Markup:
    return _each('<th scope="col">{}</th>', [(name,) for name in names])


def _each(form: str, rows: Iterable[Sequence[object]]) -> Markup:
    """The same piece for each row; `form` is ours, and what is filled in is escaped."""
    return Markup().join(Markup(form).format(*row) for row in rows)  # noqa: S704 - as it says


def _plain(rows: Iterable[Sequence[object]]) -> Iterator[tuple[str, ...]]:
    return (tuple(map(plain, row)) for row in rows)


def _link(path: str, said: str, links: str | None) -> Markup:
    if links is None:
        return Markup("{}").format(plain(said))
    address = f"{links.rstrip('/')}/{quote(path)}" if links else quote(path)
    return Markup('<a href="{}">{}</a>').format(address, plain(said))


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
