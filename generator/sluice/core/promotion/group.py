"""Several releases in one pull request: its branch, its words, and what closing it rejects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sluice.core.markdown import code, table
from sluice.core.model import PullRequest
from sluice.core.promotion.converge import BRANCHES, Proposal
from sluice.core.promotion.message import framed, line, marker, without_marker, written_in
from sluice.core.promotion.signals import Signal, labels
from sluice.core.specs.resolve import Release

# No release and no team can have this name, so it is free beside theirs.
LAST = "_all"
# So many are told in full, and so many have a line; of all there is the evidence.
_IN_FULL, _LISTED = 10, 200

Chains = Mapping[str, tuple[str, ...]]


def branch_of_group(release: Release) -> str:
    """The branch that a release shares with others; nothing when it has its own."""
    kind = release.environment.spec.get("promotion", {}).get("group")
    key = release.key
    places = {"environment": (key.environment,), "team": (key.environment, key.team)}
    return "/".join((BRANCHES, *places[kind], LAST)) if kind else ""


def is_group(branch: str) -> bool:
    """Whether a branch is one that releases share."""
    return branch.startswith(f"{BRANCHES}/") and branch.endswith(f"/{LAST}")


def grouped(branch: str, members: Sequence[Proposal], pulls: Iterable[PullRequest]) -> Proposal:
    """One proposal of several: a commit for each of them, and one pull request.

    It merges by itself when each of them may.
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
        body=_body(members, _chains(place, members, pulls)),
        automatic=all(each.automatic for each in members),
        later=later,
        waits=held,
        labels=(*labels(first.key, held, later=later), "sluice/group"),
        signal=_signal(members, held),
        superseded=(),
        keys=tuple(key for each in members for key in each.keys),
    )


def share_of(pull: PullRequest, release: str) -> PullRequest:
    """A shared pull request as if it were about one release alone."""
    place = pull.branch.removeprefix(f"{BRANCHES}/").removesuffix(LAST)
    name = release.removeprefix(place)
    chain = _read(pull.body).get(name, ())
    known = written_in(pull.body).get("registered")
    registered = known.get(name) if isinstance(known, dict) else None
    return replace(pull, body=marker(chain[0], chain[1:], registered) if chain else "")


def _signal(members: Sequence[Proposal], held: Sequence[str]) -> Signal:
    if held:
        more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
        return Signal("pending", line(held[0]) + more)
    return Signal("success", f"all conditions passed for {len(members)} releases")


def _body(members: Sequence[Proposal], chains: Chains) -> str:
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
    if len(members) <= _IN_FULL:
        parts += [f"### {code(each.key)}\n\n{_demoted(each.body)}" for each in members]
    parts.append(
        "### Before merging\n\nMerging this deploys all of them; closing it rejects each of these "
        "versions. To leave one out, write it into `model.quarantine` of its release. Commits of "
        "others on this branch are left alone."
    )
    data = {
        "registered": {name: m.registered for name, m in zip(chains, members, strict=True)},
        "releases": {name: list(chain) for name, chain in chains.items()},
    }
    return "\n\n".join([*parts, framed(data)]) + "\n"


def _demoted(body: str) -> str:
    """A body as a part of another one."""
    return f"\n{without_marker(body)}".replace("\n### ", "\n#### ").strip()


def _chains(place: str, members: Sequence[Proposal], pulls: Iterable[PullRequest]) -> Chains:
    """By release the version that is proposed, and those that were proposed before it."""
    living = next((pull for pull in pulls if pull.state == "open"), None)
    before = _read(living.body) if living else {}
    found = {}
    for each in members:
        name = str(each.key).removeprefix(f"{place}/")
        chain = (each.version, *(v for v in before.get(name, ()) if v != each.version))
        found[name] = chain
    return found


def _read(text: str) -> Chains:
    try:
        listed = written_in(text).get("releases", {}).items()
        return {str(name): tuple(map(str, chain)) for name, chain in listed}
    except (AttributeError, TypeError):
        return {}
