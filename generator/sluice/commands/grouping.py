"""The pull requests that several releases share, where their environment asks for that."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sluice import git
from sluice.commands import judging, proposing, taking_back
from sluice.commands.judging import Seen
from sluice.commands.world import ALIKE, Outcome, World
from sluice.core.finding import UsageError
from sluice.core.model import PullRequest
from sluice.core.promotion.converge import BRANCHES, Proposal, Refusal, branch_of, rejected
from sluice.core.promotion.group import branch_of_group, grouped, is_group, share_of
from sluice.core.promotion.wants import Idle, Want

# A pull request of more is read by nobody, and its list does not fit.
MOST = 500


def shared(wants: Sequence[Want | Idle]) -> dict[str, list[Want]]:
    """The releases that want something, by the branch that they share."""
    found: dict[str, list[Want]] = {}
    for want in wants:
        branch = branch_of_group(want.release)
        if branch and isinstance(want, Want):
            found.setdefault(branch, []).append(want)
    return found


def pointless(world: World, seen: Seen, living: Sequence[str]) -> Iterator[Outcome]:
    """Withdraw the shared pull requests that no release needs any more."""
    ours = f"refs/heads/{BRANCHES}/"
    there = (ref.removeprefix("refs/heads/") for ref in git.refs_under(world.repository, ours))
    for branch in dict.fromkeys((*seen.pulls, *there)):
        if not is_group(branch) or branch in living:
            continue
        for pull in seen.pulls.get(branch, ()):
            if pull.state == "open" and proposing.is_ours(world, branch):
                yield proposing.closed(world, branch, pull, "pointless now: nothing is left in it")
        proposing.sweep(world, branch)


def together(world: World, seen: Seen, branch: str, wants: Sequence[Want]) -> Iterator[Outcome]:
    """Bring a shared pull request to what its releases want; an outcome for each of them."""
    pulls = _all_of(world, seen, branch)
    sight = (
        tuple((w.release.key, w.version, w.deployed, w.notes) for w in wants),
        *(seen.base.commit, pulls, git.tip(world.repository, f"refs/heads/{branch}")),
    )
    names = [str(want.release.key) for want in wants]
    known = [world.memory.recall(name, sight, world.clock()) for name in names]
    if all(known):
        yield from filter(None, known)
        return
    outcomes = list(_together(world, seen, branch, wants, pulls))
    yield from outcomes
    if all(outcome.is_settled for outcome in outcomes):
        for outcome in outcomes:
            world.memory.settle(outcome.release, sight, outcome, world.clock())


def _together(
    world: World, seen: Seen, branch: str, wants: Sequence[Want], pulls: Sequence[PullRequest]
) -> Iterator[Outcome]:
    members: list[Proposal] = []
    failures: list[str] = []
    for want in wants:
        result = _member(world, seen, want, pulls, failures)
        if isinstance(result, Outcome):
            yield result
        elif len(members) < MOST:
            members.append(result)
        else:
            said = f"{branch} has {MOST} releases; this one comes after them"
            yield Outcome(str(result.key), "comes later", result.version, reasons=(said,))
    if not members:
        yield from pointless(world, replace(seen, pulls={branch: pulls}), ())
        return
    for member in members:
        yield from _alone(world, seen, member, branch)
    outcome = proposing.applied(world, seen.base.commit, grouped(branch, members, pulls), pulls)
    for member in members:
        yield replace(outcome, release=str(member.key), version=member.version)


def _member(
    world: World, seen: Seen, want: Want, pulls: Sequence[PullRequest], failures: list[str]
) -> Proposal | Outcome:
    """What one release adds, or why it adds nothing; what fails for many is not theirs."""
    name = str(want.release.key)
    own = seen.pulls.get(branch_of(want.release.key), ())
    concerned = [*own, *(share_of(pull, name) for pull in pulls)]
    no = rejected(want, concerned)
    if no:
        return judging.rejection(want, no.number)
    taken = taking_back.taken(world, seen.base.commit, want, concerned)
    if taken:
        return taken
    if not proposing.is_ours(world, branch_of(want.release.key)):
        said = "somebody committed to its own branch; delete that to hand it back"
        return Outcome(name, "left alone", want.version.version, reasons=(said,))
    try:
        result = judging.judged(world, seen.base, want, ())
    except UsageError as error:
        said = str(error)
        failures.append(said)
        if failures[-ALIKE:] == [said] * ALIKE:
            raise
        return Outcome(name, "failed", want.version.version, reasons=(said,), refused=True)
    return judging.refused(name, result) if isinstance(result, Refusal) else result


def _alone(world: World, seen: Seen, member: Proposal, branch: str) -> Iterator[Outcome]:
    """Withdraw the pull request that a release had for itself: there is never more than one."""
    for pull in seen.pulls.get(branch_of(member.key), ()):
        if pull.state == "open":
            reason = f"it is part of the pull request of {branch} now"
            yield proposing.closed(world, str(member.key), pull, reason)
    proposing.sweep(world, branch_of(member.key))


def _all_of(world: World, seen: Seen, branch: str) -> Sequence[PullRequest]:
    """The pull requests of a shared branch, also those that are not listed any more."""
    pulls = seen.pulls.get(branch, ())
    if any(pull.state == "open" for pull in pulls):
        return pulls
    return world.forge.of_branch(branch)
