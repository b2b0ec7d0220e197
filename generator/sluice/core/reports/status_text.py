"""What runs where, in lines for a terminal: at most so wide, and without colours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.core.observation.following import contrast
from sluice.core.outgoing import one_line
from sluice.core.plan.cost import between, money
from sluice.core.specs.rollout_plan import FULL
from sluice.core.units import duration

WIDTH = 80
_GAP = 2
_HEAD = ("RELEASE", "VERSION", "STATE", "REPLICAS")
_WIDEST = (30, 16, 18, 8)

Record = Mapping[str, Any]


def as_text(found: Record, width: int = WIDTH) -> str:
    """The whole of it: an environment after the other, then what is broken or not known.

    Nothing is cut; what is longer than a line goes on in the next one, one long word excepted.
    """
    return "".join(f"{line}".rstrip() + "\n" for line in _lines(found, width))


def _lines(found: Record, width: int) -> Iterator[str]:
    for environment in found["environments"]:
        own = [r for r in found["releases"] if r["environment"] == environment["name"]]
        yield from _environment(environment, width)
        yield ""
        yield from _releases(own, width)
        yield ""
    if not found["environments"]:
        yield "no environment is here"
    if found["revision"]:
        yield f"as of commit {found['revision'][:10]}"
    for broken in found["broken"]:
        said = f"{plain(broken['file'])}: {plain(broken['reason'])}"
        yield from _wrapped("cannot be read: ", [said], width)
    for what, why in found["unknown"].items():
        yield from _wrapped("unknown: ", [f"{plain(what)}: {plain(why)}"], width)


def _environment(environment: Record, width: int) -> Iterator[str]:
    parts = [f"namespace {environment['namespace']}"]
    parts += [f"follows {environment['follows']}"] if environment["follows"] else []
    parts += [f"review {environment['review']}"]
    yield from _wrapped(f"{environment['name']}: ", [plain(part) for part in parts], width)
    devices, cost = environment["devices"], environment["cost"]
    yield from _wrapped(
        "  ",
        [
            f"{between(devices['least'], devices['most'])} device{'s' * (devices['most'] != 1)}",
            between(money(cost["least"]), money(cost["most"])),
        ],
        width,
    )
    used = [
        f"{q['used']} of {q['quota']} {plain(q['resource'])}{', too many' * _exceeds(q)}"
        for q in environment["quota"]
    ]
    yield from _wrapped("  quota, at the most: ", used, width) if used else ()
    if cost["unpriced"]:
        yield from _wrapped("  without a price: ", [plain(n) for n in cost["unpriced"]], width)


def _exceeds(quota: Record) -> bool:
    return bool(quota["used"] > quota["quota"])


def _releases(releases: Sequence[Record], width: int) -> Iterator[str]:
    if not releases:
        yield "  no releases"
        return
    rows = [_HEAD, *map(_row, releases)]
    columns = zip(zip(*rows, strict=True), _WIDEST, strict=True)
    widths = [min(max(map(len, column)), widest) for column, widest in columns]
    yield from _line(rows[0], widths, width)
    for row, release in zip(rows[1:], releases, strict=True):
        yield from _line(row, widths, width)
        for note in (_software(release), *notes(release)):
            yield from _wrapped("    ", [note], width)


def _row(release: Record) -> tuple[str, ...]:
    least, most = release["replicas"]["least"], release["replicas"]["most"]
    cells = (
        f"{release['team']}/{release['name']}",
        release["model"]["version"],
        state(release),
        str(most) if least == most else f"{least}-{most}",
    )
    return tuple(map(plain, cells))


def _software(release: Record) -> str:
    engine = release["engine"]
    named = f"{release['model']['name']}, {engine['name']} {engine['version']}"
    return plain(f"{named}, {hardware(release['accelerator'])}")


def hardware(accelerator: Record) -> str:
    """What one replica runs on."""
    nodes = f"{accelerator['nodes']} x " if accelerator["nodes"] > 1 else ""
    share = "share of " if accelerator["share"] else ""
    return f"{nodes}{accelerator['count']} x {share}{accelerator['name']}"


def state(release: Record) -> str:
    """How far the newest version has come, in few words."""
    rollout = release["rollout"]
    if rollout["state"] == "STABLE":
        return "stable"
    return f"{rollout['weight']}% {rollout['state'].lower().replace('_', ' ')}"


def notes(release: Record) -> Iterator[str]:
    """What there is to say of a release beside its row."""
    rollout = release["rollout"]
    if rollout["state"] != "STABLE":
        yield (
            f"version {plain(rollout['candidate'])} gets {rollout['weight']} %, "
            f"{plain(rollout['stable'])} {FULL - rollout['weight']} %; next: {rollout['next']}"
        )
    if rollout["reason"]:
        yield f"why: {plain(rollout['reason'])}"
    yield from _judged(release["judgement"])
    for pull in release["pulls"] or ():
        what = f" for version {plain(pull['version'])}" if pull["version"] else " for its rollout"
        yield f"pull request #{pull['number']}{what} is open{', and waits' * pull['waits']}"
    if release["quarantine"]:
        yield f"in quarantine: {', '.join(map(plain, release['quarantine']))}"
    evaluated = release["evaluation"] or {"gates": ()}
    failed = [gate["metric"] for gate in evaluated["gates"] if not gate["passed"]]
    if failed:
        yield f"proposed without these gates passed: {', '.join(map(plain, failed))}"
    yield from _followed(release["following"])
    argocd = release["argocd"]
    if argocd and not (argocd["synced"] and argocd["health"] == "Healthy"):
        synced = "in sync" if argocd["synced"] else "not in sync"
        yield f"Argo CD: {synced}, {plain(argocd['health'])}"


def _followed(following: Record | None) -> Iterator[str]:
    """Whether the cluster does what Git says, and what keeps it from that."""
    if following is None:
        return
    git, live = following["git"], following["live"]
    if live not in (None, git):
        yield f"{contrast(git, live)} for {duration(following['seconds'])}"
    for hindrance in following["hindrances"]:
        yield plain(hindrance["said"])


def _judged(judgement: Record | None) -> Iterator[str]:
    if judgement is not None:
        told = [f"{plain(g['name'])} {plain(g['verdict'] or '?')}" for g in judgement["gates"]]
        yield f"measured: {', '.join(told)}"


def plain(text: object) -> str:
    """A text on one line that a terminal only shows."""
    return " ".join(one_line(str(text)).split())


def _line(cells: Sequence[str], widths: Sequence[int], width: int) -> Iterator[str]:
    """One row; what is wider than its column stands on lines of its own before the rest."""
    wide = [cell for cell, most in zip(cells, widths, strict=True) if len(cell) > most]
    for cell in wide:
        yield from _wrapped("  ", [cell], width)
    shown = ("" if cell in wide else cell for cell in cells)
    padded = (cell.ljust(most) for cell, most in zip(shown, widths, strict=True))
    yield "  " + (" " * _GAP).join(padded)


def _wrapped(head: str, parts: Sequence[str], width: int) -> Iterator[str]:
    """Parts with commas between them, words of more lines below the first one."""
    line, indent = head, " " * (len(head) - len(head.lstrip()) + 2)
    for word in ", ".join(parts).split():
        fresh = line in (head, indent)
        if not fresh and len(line) + 1 + len(word) > width:
            yield line
            line, fresh = indent, True
        line += word if fresh else f" {word}"
    yield line
