"""Several releases in one pull request: its branch, its words, and what closing it rejects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.markdown import code, table
from sluice.core.promotion.branches import BRANCHES, LAST, branch_at
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.message import (
    framed,
    is_emptied,
    marker,
    without_marker,
    written_in,
)
from sluice.core.promotion.signals import Signal, labels, waiting
from sluice.core.specs.resolve import Release

# So many are told in full, and so many have a line; of all there is the evidence.
_IN_FULL, _LISTED = 10, 200

Chains = Mapping[str, tuple[str, ...]]


class Demand(NamedTuple):
    """Why releases share what nobody asked them to: pull requests wanted, and room for them."""

    wanted: int
    room: int


def branch_of_group(release: Release) -> str:
    """The branch that a release shares with others; nothing when it has its own."""
    kind = release.environment.spec.promotion.group or ""
    key = release.key
    places = {"environment": (key.environment,), "team": (key.environment, key.team)}
    return branch_at(*places[kind]) if kind in places else ""


def grouped(
    branch: str,
    members: Sequence[Proposal],
    pulls: Iterable[PullRequest],
    demand: Demand | None = None,
) -> Proposal:
    """One proposal of several: a commit for each of them, and one pull request.

    It merges by itself when each of them may. `demand` is why they share it if nobody asked.
    """
    first = members[0]
    place = branch.removeprefix(f"{BRANCHES}/").removesuffix(f"/{LAST}")
    held = tuple(f"{each.key.name}: {why}" for each in members for why in each.waits)
    later = all(each.later for each in members)
    title = f"{place}: {len(members)} releases"
    return replace(
        first,
        version="",
        branch=branch,
        changes={path: raw for each in members for path, raw in each.changes.items()},
        parts=tuple(part for each in members for part in each.parts),
        title=title if len(members) > 1 else first.title,
        body=_body(members, _chains(place, members, pulls), demand),
        automatic=all(each.automatic for each in members),
        later=later,
        waits=held,
        labels=(*labels(first.key, held, later=later), "sluice/group"),
        signal=_signal(members, held),
        superseded=(),
        keys=tuple(key for each in members for key in each.keys),
    )


def members_of(pull: PullRequest) -> frozenset[Key]:
    """The releases that a shared pull request says it is about."""
    place = pull.branch.removeprefix(f"{BRANCHES}/").removesuffix(LAST)
    found = (f"{place}{name}".split("/") for name in chains_of(pull.body))
    return frozenset(Key(*parts) for parts in found if len(parts) == len(Key._fields))


def demand_of(pull: PullRequest) -> Demand | None:
    """What a shared pull request says demanded it."""
    said = written_in(pull.body).get("demand")
    match said:
        case [int(wanted), int(room)]:
            return Demand(wanted, room)
    return None


def share_of(pull: PullRequest, release: str) -> PullRequest:
    """A shared pull request as if it were about one release alone."""
    place = pull.branch.removeprefix(f"{BRANCHES}/").removesuffix(LAST)
    name = release.removeprefix(place)
    chain = chains_of(pull.body).get(name, ())
    known = written_in(pull.body).get("registered")
    registered = known.get(name) if isinstance(known, dict) else None
    if not chain:  # it is not about this release, unless somebody has emptied its text
        return replace(pull, body="" if is_emptied(pull.body) else framed({}))
    return replace(pull, body=marker(chain[0], chain[1:], registered))


def _signal(members: Sequence[Proposal], held: Sequence[str]) -> Signal:
    if held:
        return waiting(held)
    return Signal("success", f"all conditions passed for {len(members)} releases")


def _body(members: Sequence[Proposal], chains: Chains, demand: Demand | None) -> str:
    rows = [
        (
            code(each.key),
            code(each.title.partition(": ")[2]),
            f"**waits**: {code(each.waits[0])}" if each.waits else code(each.signal.text),
            ", ".join(map(code, chain[1:])),
        )
        for each, chain in zip(members, chains.values(), strict=True)
    ]
    head = ("release", "change", "conditions", "supersedes")
    left = len(rows) - _LISTED
    more = f"\n\n{left} more are in the changed files." if left > 0 else ""
    parts = [f"### Releases\n\n{table(head, rows[:_LISTED])}{more}"]
    if demand:
        parts.append(f"### Why they share it\n\n{_reason(demand)}")
    if len(members) <= _IN_FULL:
        parts += [f"### {code(each.key)}\n\n{_demoted(each.body)}" for each in members]
    parts.append(
        "### Before merging\n\nMerging this deploys all of them; closing it rejects each of these "
        "versions. To leave one out, write it into `model.quarantine` of its release. Commits of "
        "others on this branch are left alone; deleting it hands it back."
    )
    data: dict[str, Any] = {
        "registered": {name: m.registered for name, m in zip(chains, members, strict=True)},
        "releases": {name: list(chain) for name, chain in chains.items()},
    }
    if demand:
        data["demand"] = list(demand)
    return "\n\n".join([*parts, framed(data)]) + "\n"


def demand_text(demand: Demand) -> str:
    """Why nobody's wish was followed, in one sentence."""
    return (
        f"{demand.wanted} pull requests were wanted when this one was opened, and the limits of "
        f"the forge left room for {demand.room}"
    )


def _reason(demand: Demand) -> str:
    return (
        f"{demand_text(demand)}. It stays shared until it is merged or closed. "
        "With `promotion.group: never` in its environment each release waits for one of its own."
    )


def _demoted(body: str) -> str:
    """A body as a part of another one."""
    return f"\n{without_marker(body)}".replace("\n### ", "\n#### ").strip()


def _chains(place: str, members: Sequence[Proposal], pulls: Iterable[PullRequest]) -> Chains:
    """By release the version that is proposed, and those that were proposed before it."""
    living = next((pull for pull in pulls if pull.state == "open"), None)
    before = chains_of(living.body) if living else {}
    found = {}
    for each in members:
        name = str(each.key).removeprefix(f"{place}/")
        chain = (each.version, *(v for v in before.get(name, ()) if v != each.version))
        found[name] = chain
    return found


def chains_of(text: str) -> Chains:
    """By release, named below its place, the version that a text proposes and those before it."""
    try:
        listed = written_in(text).get("releases", {}).items()
        return {str(name): tuple(map(str, chain)) for name, chain in listed}
    except (AttributeError, TypeError):
        return {}
