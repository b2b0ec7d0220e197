"""Words for a pull request that was merged before they were brought to its last commit."""

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.core.forge import PullRequest
from sluice.core.markdown import fenced
from sluice.core.model import Commit
from sluice.core.promotion.branches import BRANCHES, is_group
from sluice.core.promotion.group import chains_of
from sluice.core.promotion.message import framed, marker, read_marker, stamped

_ROLLOUT = "rollout:"


def mended(pull: PullRequest, commits: Sequence[Commit]) -> tuple[str, str] | None:
    """The title and the body that tell of the commits of a pull request; None where they do.

    Args:
        pull: that was merged, with a text of ours.
        commits: ours at its head and before, newest first.
    """
    commits = _own(pull, commits)
    merged = {c.trailers.get("Release", ""): c.trailers.get("Model-Version", "") for c in commits}
    told = _told(pull)
    if not commits or not told or not all(merged) or merged == told:
        return None
    title = _subject(commits[0])
    if len(commits) > 1:
        title = f"{_place(pull)}: {len(commits)} releases"
    return title, _body(commits, framed(_data(pull, commits)))


def mended_step(pull: PullRequest, commit: Commit) -> tuple[str, str] | None:
    """The same of a pull request that moves a rollout, and of the commit at its head."""
    said = read_marker(pull.body)
    if said is None or not said[0].startswith(_ROLLOUT) or "Rollout-State" not in commit.trailers:
        return None
    told, _, clock = said[0].rpartition(":")
    merged = f"{_ROLLOUT}{commit.trailers.get('Model-Version', '')}:{_step(commit)}"
    if merged == told:
        return None
    return _subject(commit), _body([commit], marker(f"{merged}:{clock}", ()))


def _step(commit: Commit) -> str:
    """What a commit says of a rollout, as the marker of a pull request has it."""
    state, step, weight = (
        commit.trailers.get(f"Rollout-{name}") for name in ("State", "Step", "Weight")
    )
    return f"{state}:{step}:{weight}" if weight is not None else str(state).lower()


def _subject(commit: Commit) -> str:
    return commit.message.partition("\n")[0]


def _body(commits: Sequence[Commit], data: str) -> str:
    """A text that tells what the commits say, newest first, and ends with the data."""
    said = "\n\n".join(fenced(commit.message.rstrip()) for commit in reversed(commits))
    why = "This was merged before its text was brought to its last commit. What was merged says:"
    return stamped(f"{why}\n\n{said}\n\n{data}", commits[0].id)


def _own(pull: PullRequest, commits: Sequence[Commit]) -> list[Commit]:
    """The commits that belong to a pull request: one for each release that it may be about."""
    if not is_group(pull.branch):
        return list(commits[:1])
    found: dict[str, Commit] = {}
    for commit in commits:
        release = commit.trailers.get("Release", "")
        if release in found or not release.startswith(f"{_place(pull)}/"):
            break
        found[release] = commit
    return list(found.values())


def _told(pull: PullRequest) -> Mapping[str, str]:
    """The version of each release that the text of a promotion names."""
    if is_group(pull.branch):
        place = _place(pull)
        return {
            f"{place}/{name}": chain[0] for name, chain in chains_of(pull.body).items() if chain
        }
    said = read_marker(pull.body)
    if said is None or said[0].startswith(_ROLLOUT):
        return {}
    return {pull.branch.removeprefix(f"{BRANCHES}/"): said[0]}


def _data(pull: PullRequest, commits: Sequence[Commit]) -> dict[str, Any]:
    """What the marker of such a text says, as far as the commits tell it."""
    versions = {c.trailers["Release"]: c.trailers["Model-Version"] for c in commits}
    times = {c.trailers["Release"]: c.trailers.get("Registered-At", "") for c in commits}
    known = {release: int(time) for release, time in times.items() if time.isdecimal()}
    if is_group(pull.branch):
        begin = f"{_place(pull)}/"
        return {
            "registered": {name.removeprefix(begin): time for name, time in known.items()},
            "releases": {name.removeprefix(begin): [v] for name, v in versions.items()},
        }
    (release, version), *_ = versions.items()
    registered = {"registered": known[release]} if release in known else {}
    return {**registered, "superseded": [], "version": version}


def _place(pull: PullRequest) -> str:
    return pull.branch.removeprefix(f"{BRANCHES}/").rpartition("/")[0]
