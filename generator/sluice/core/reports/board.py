"""What runs where as one page of HTML: no network, no scripts, every value escaped.

It is well-formed XML as well. The page is a function of the data of `status` alone. Here is what
the page shows; how it shows it stands in the templates of `pages/board`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sluice.core.plan.cost import between, money
from sluice.core.reports.board_drawing import (
    Bar,
    Changes,
    Rates,
    draw_changes,
    draw_meter,
    draw_progress,
    draw_rates,
)
from sluice.core.reports.page_templates import PageTemplates
from sluice.core.reports.status_text import hardware, notes, state

Record = Mapping[str, Any]

_LOOKS = {"STABLE": "good", "ROLLING_BACK": "bad", "ROLLED_BACK": "bad"}
_LOOKS |= {"STEP": "mark", "WARMING": "mark", "PROMOTING": "mark", "FINALIZING": "mark"}


@dataclass(frozen=True)
class Link:
    """A text that leads to a file; without an address it only names it."""

    text: str
    address: str | None


@dataclass(frozen=True)
class EvaluatedGate:
    """A gate before the proposal; `baseline` is empty where nothing was deployed."""

    metric: str
    has_passed: bool
    value: str
    baseline: str


@dataclass(frozen=True)
class MeasuredGate:
    """A gate of a rollout: bad events of requests, for both versions."""

    name: str
    verdict: str
    candidate: str
    stable: str
    rates: Rates | None


@dataclass(frozen=True)
class Measured:
    """What a rollout was judged by."""

    file: str
    gates: tuple[MeasuredGate, ...]


@dataclass(frozen=True)
class ShownRelease:
    """A release as the page shows it; `progress` is None when no rollout is under way."""

    link: Link
    full_link: Link
    version_link: Link
    look: str
    state: str
    since: str
    progress: Bar | None
    pulls: Sequence[Record]
    is_quarantined: bool
    notes: tuple[str, ...]
    measured: Measured | None
    software: tuple[str, ...]
    cost: str
    gates: tuple[EvaluatedGate, ...]
    changes: Changes | None


@dataclass(frozen=True)
class Quota:
    """How many devices are used of those that may be."""

    resource: str
    used: int
    most: int
    meter: Bar


@dataclass(frozen=True)
class ShownEnvironment:
    """An environment with its releases."""

    link: Link
    caption: str
    facts: tuple[tuple[str, str], ...]
    quotas: tuple[Quota, ...]
    releases: tuple[ShownRelease, ...]


@dataclass(frozen=True)
class Board:
    """The whole page; a row of `grid` has a cell for each of `columns`."""

    revision: str
    unknown: tuple[tuple[str, str], ...]
    tiles: tuple[tuple[str, object], ...]
    columns: list[str]
    grid: tuple[tuple[str, tuple[ShownRelease | None, ...]], ...]
    rollouts: tuple[ShownRelease, ...]
    environments: tuple[ShownEnvironment, ...]
    broken: tuple[tuple[str, str], ...]


def render_board(status: Record, links: str | None, pages: PageTemplates) -> str:
    """The whole page.

    Args:
        status: what `status` gives.
        links: what paths of files begin with; None when they are not linked.
        pages: the templates.
    """
    return pages.render("board/page.html.j2", board=show_board(status, links))


def show_board(status: Record, links: str | None) -> Board:
    """What the page shows; arguments as those of `render_board`."""
    releases = [show_release(release, links) for release in status["releases"]]
    shown = list(zip(status["releases"], releases, strict=True))
    environments: list[ShownEnvironment] = []
    for environment in status["environments"]:
        name = environment["name"]
        inside = tuple(view for release, view in shown if release["environment"] == name)
        environments.append(_show_environment(environment, inside, links))
    columns = [environment["name"] for environment in status["environments"]]
    revision = status["revision"]
    return Board(
        revision=f"as of commit {revision[:12]}" if revision else "as in these files",
        unknown=tuple(status["unknown"].items()),
        tiles=_tiles(status),
        columns=columns,
        grid=_grid(columns, shown),
        rollouts=tuple(release for release in releases if release.progress),
        environments=tuple(environments),
        broken=tuple((broken["file"], broken["reason"]) for broken in status["broken"]),
    )


def _tiles(status: Record) -> tuple[tuple[str, object], ...]:
    environments, releases = status["environments"], status["releases"]
    moving = [release for release in releases if _is_moving(release)]
    pulls = {pull["number"] for release in releases for pull in release["pulls"] or ()}
    is_complete = all(release["pulls"] is not None for release in releases)
    return (
        ("environments", len(environments)),
        ("releases", len(releases)),
        ("rollouts under way", len(moving)),
        ("open pull requests", len(pulls) if is_complete and releases else "unknown"),
        ("devices at the most", sum(e["devices"]["most"] for e in environments)),
    )


def _grid(
    columns: Sequence[str], shown: Sequence[tuple[Record, ShownRelease]]
) -> tuple[tuple[str, tuple[ShownRelease | None, ...]], ...]:
    """A row for each release, a column for each environment."""
    rows: dict[str, dict[str, ShownRelease]] = {}
    for release, view in shown:
        row = rows.setdefault(f"{release['team']}/{release['name']}", {})
        row[release["environment"]] = view
    return tuple((name, tuple(map(rows[name].get, columns))) for name in sorted(rows))


def show_release(release: Record, links: str | None) -> ShownRelease:
    """What the page shows of one release; `links` as for `render_board`."""
    rollout, model, engine = release["rollout"], release["model"], release["engine"]
    replicas, file = release["replicas"], release["file"]
    gates = (release["evaluation"] or {"gates": ()})["gates"]
    return ShownRelease(
        link=_link(file, f"{release['team']}/{release['name']}", links),
        full_link=_link(file, release["release"], links),
        version_link=_link(file, f"version {model['version']}", links),
        look=_LOOKS.get(rollout["state"], "warn"),
        state=state(release),
        since=rollout["since"] or "",
        progress=draw_progress(rollout) if _is_moving(release) else None,
        pulls=release["pulls"] or (),
        is_quarantined=bool(release["quarantine"]),
        notes=tuple(notes(release)),
        measured=_measured(release["judgement"]),
        software=(
            f"{model['name']} {model['version']}",
            f"{engine['name']} {engine['version']}",
            hardware(release["accelerator"]),
            between(replicas["least"], replicas["most"]),
        ),
        cost=money(release["cost"]["most"]),
        gates=tuple(map(_evaluated, gates)),
        changes=draw_changes(gates),
    )


def _is_moving(release: Record) -> bool:
    return bool(release["rollout"]["state"] != "STABLE")


def _measured(judgement: Record | None) -> Measured | None:
    if not judgement:
        return None
    gates = tuple(
        MeasuredGate(
            name=gate["name"],
            verdict=gate["verdict"] or "unknown",
            candidate=_counts(gate["candidate"]),
            stable=_counts(gate["stable"]),
            rates=draw_rates(gate),
        )
        for gate in judgement["gates"]
    )
    return Measured(judgement["file"], gates)


def _counts(events: Record) -> str:
    return f"{events['bad']} of {events['requests']}"


def _evaluated(gate: Record) -> EvaluatedGate:
    baseline = gate["baseline"]
    return EvaluatedGate(
        metric=gate["metric"],
        has_passed=gate["passed"],
        value=_number(gate["value"]),
        baseline=_number(baseline) if baseline is not None else "",
    )


def _show_environment(
    environment: Record, releases: tuple[ShownRelease, ...], links: str | None
) -> ShownEnvironment:
    quotas: list[Quota] = []
    for quota in environment["quota"]:
        resource, used, most = quota["resource"], quota["used"], quota["quota"]
        quotas.append(Quota(resource, used, most, draw_meter(used, most, resource)))
    return ShownEnvironment(
        link=_link(environment["file"], environment["name"], links),
        caption=f"{len(releases)} releases in {environment['name']}",
        facts=_facts(environment),
        quotas=tuple(quotas),
        releases=releases,
    )


def _facts(environment: Record) -> tuple[tuple[str, str], ...]:
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
    if cost["unpriced"]:
        facts.append(("without a price", ", ".join(cost["unpriced"])))
    return tuple(facts)


def _link(path: str, text: str, links: str | None) -> Link:
    if links is None:
        return Link(text, None)
    return Link(text, f"{links.rstrip('/')}/{quote(path)}" if links else quote(path))


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
