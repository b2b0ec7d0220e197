"""The pull requests that several releases share, where their environment asks for that."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sluice import git
from sluice.core import layout
from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.model import PullRequest
from sluice.core.promotion.converge import BRANCHES, Proposal, Refusal, branch_of, rejected
from sluice.core.promotion.group import (
    Demand,
    branch_of_group,
    branches_at,
    demand_of,
    demand_text,
    grouped,
    is_group,
    members_of,
    share_of,
)
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.sharing import Group, Sharing, shared_by
from sluice.core.promotion.wants import Idle, Want
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.forges.extras import ForgeExtras
from sluice.reconciler.promotions import ownership, publish, quarantine, snapshot
from sluice.reconciler.promotions.confirmation import (
    forget_measured,
    is_confirmed,
    keeps,
    kept_open,
)
from sluice.reconciler.promotions.snapshot import Seen
from sluice.reconciler.runtime import ALIKE, Outcome, World, failure
from sluice.workspace.identity import MAIN

# A pull request of more is read by nobody, and its list does not fit.
MOST = 500
# What became of a release for which nothing is opened.
_FRUITLESS = frozenset({"refused", "rejected", "left alone"})
# What became of a release of which it is not known what is to become of it.
_UNSURE = frozenset({"failed", "not confirmed"})


def arranged(
    world: World, seen: Seen, found: Sequence[Want | Idle], *, again: bool = False
) -> Sharing:
    """Decide which releases share a pull request; `again` keeps to what was decided before."""
    wanted = [want for want in found if isinstance(want, Want)]
    releases = [want.release for want in wanted]
    settled = {w.release.key for w in wanted if _is_settled(world, seen, w)}
    living = _groups(world, seen)
    if again:
        planned = {b: group for b, group in seen.sharing.groups.items() if group.demand}
        return shared_by(releases, {**planned, **living}, settled, None)
    room = world.forge.room if isinstance(world.forge, ForgeExtras) else None
    sharing = shared_by(releases, living, settled, room)
    if sharing.demand is None:
        return sharing
    # Only now it is worth asking of each whether its gates let it be proposed at all.
    opening = {want.release.key: want for want in wanted if want.release.key in sharing.opening}
    barren = {key for key, want in opening.items() if not _is_good(world, seen, want)}
    return shared_by(releases, living, settled | barren, room)


def _is_settled(world: World, seen: Seen, want: Want) -> bool:
    """Whether no pull request will be opened for a release, by what is known without asking."""
    try:
        with apart("what is known of a release"):
            return _is_known_to_be_settled(world, seen, want)
    except UnforeseenError:  # told when its turn comes
        return True


def _is_known_to_be_settled(world: World, seen: Seen, want: Want) -> bool:
    key = want.release.key
    if any(pull.state == "open" for pull in seen.pulls.get(branch_of(key), ())):
        return True
    said = world.memory.last(str(key))
    known = said is not None and said.version == want.version.version and said.what in _FRUITLESS
    return known or rejected(want, seen.about(key)) is not None


def _is_good(world: World, seen: Seen, want: Want) -> bool:
    if world.is_stopping():
        return True
    try:
        with apart("a promotion"):
            return isinstance(snapshot.judged(world, seen.base, want, ()), Proposal)
    except UsageError:  # told when its turn comes
        return False


def _groups(world: World, seen: Seen) -> dict[str, Group]:
    """The shared branches that are at work: with an open pull request, or in a person's hands."""
    found = {}
    for branch in _branches(world, seen):
        try:
            with apart("a shared pull request"):
                group = _group(world, seen, branch)
        except UnforeseenError:  # nobody can tell what is in it, so that nothing is done to it
            group = Group(frozenset(), edited=True)
        if group:
            found[branch] = group
    return found


def _group(world: World, seen: Seen, branch: str) -> Group | None:
    """What is at work on a shared branch."""
    pulls = seen.pulls.get(branch, ())
    living = next((pull for pull in pulls if pull.state == "open"), None)
    edited = not ownership.is_free(world, branch, pulls)
    if edited:
        held = _content(world, branch) if living else ()
        return Group(frozenset(held), edited=True)
    return Group(members_of(living), demand=demand_of(living)) if living else None


def _branches(world: World, seen: Seen) -> list[str]:
    """Every shared branch of which there is a pull request, or that is still there."""
    refs = git.refs_under(world.repository, f"refs/heads/{BRANCHES}/")
    there = (ref.removeprefix("refs/heads/") for ref in refs)
    return [branch for branch in dict.fromkeys((*seen.pulls, *there)) if is_group(branch)]


def _content(world: World, branch: str) -> Iterator[Key]:
    """The releases that a branch changes, whatever its pull request says."""
    head = git.resolve(world.repository, f"refs/heads/{branch}")
    begun = git.merge_base(world.repository, head, git.resolve(world.repository, MAIN))
    for path in git.changed_paths(world.repository, begun, head) if begun else ():
        key = layout.release_of(path)
        if key:
            yield key


def is_shared(seen: Seen, want: Want | Idle) -> bool:
    """Whether a release has its change in a pull request with others."""
    return isinstance(want, Want) and want.release.key in seen.sharing.branches


def shared(seen: Seen, wants: Sequence[Want | Idle]) -> dict[str, list[Want]]:
    """The releases that want something, by the branch that they share."""
    found: dict[str, list[Want]] = {}
    for want in wants:
        if isinstance(want, Want) and want.release.key in seen.sharing.branches:
            found.setdefault(seen.sharing.branches[want.release.key], []).append(want)
    return found


def former(world: World, seen: Seen, want: Want) -> list[PullRequest]:
    """What became of a release in the pull requests that it shared, however long ago."""
    key = want.release.key
    for branch in branches_at(key):
        if branch not in seen.past:
            seen.past[branch] = world.forge.of_branch(branch)
    return [share_of(p, str(key)) for branch in branches_at(key) for p in seen.past[branch]]


def pointless(world: World, seen: Seen, living: Sequence[str]) -> Iterator[Outcome]:
    """Withdraw the shared pull requests that no release needs any more."""
    for branch in _branches(world, seen):
        if branch in living:
            continue
        try:
            with apart("a shared pull request", git.RefMovedError):
                yield from _emptied(world, seen, branch)
        except UnforeseenError as error:
            yield failure(branch, error)


def _emptied(world: World, seen: Seen, branch: str) -> Iterator[Outcome]:
    stays, pulls = False, seen.pulls.get(branch, ())
    for pull in pulls:
        if not ownership.is_withdrawable(world, pull):
            continue
        if _is_deployed(seen, pull):
            main = git.resolve(world.repository, MAIN)
            yield publish.settled(world, branch, pull, main)
        elif doubt := _doubt(world, seen, pull):
            stays = True
            yield kept_open(world, branch, pull, "", (doubt,))
        else:
            yield publish.closed(world, branch, pull, "pointless now: nothing is left in it")
    if not stays:
        ownership.sweep(world, branch, pulls)


def _doubt(world: World, seen: Seen, pull: PullRequest) -> str:
    """Why it is not sure that nobody asks for a release of a shared pull request any more."""
    for key in sorted(members_of(pull)):
        idle, said = seen.idle.get(key), read_marker(share_of(pull, str(key)).body)
        if idle and not is_confirmed(world, idle, seen.observed, said[0] if said else ""):
            return f"{key}: {idle.reason}"
    return ""


def _is_deployed(seen: Seen, pull: PullRequest) -> bool:
    """Whether somebody brought to main by hand all that a shared pull request proposes."""
    releases = seen.base.sound.specs.releases
    members = members_of(pull)
    told = {key: read_marker(share_of(pull, str(key)).body) for key in members}
    return bool(members) and all(
        said is not None and key in releases and releases[key].spec.model.version == said[0]
        for key, said in told.items()
    )


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
    others: list[Outcome] = []
    failures: list[str] = []
    for want in wants:
        result = _member(world, seen, want, pulls, failures)
        if isinstance(result, Outcome):
            others.append(result)
            yield result
        elif len(members) < MOST:
            members.append(result)
        else:
            said = f"{branch} has {MOST} releases; this one comes after them"
            yield Outcome(str(result.key), "comes later", result.version, reasons=(said,))
    living = next((pull for pull in pulls if pull.state == "open"), None)
    doubt = _why_unsure(world, seen, living, others) if living else ""
    if living and doubt:
        # Without a member that is not known to be gone it would be another pull request.
        for member in members:
            yield kept_open(world, str(member.key), living, member.version, (doubt,))
        return
    if not members and any(outcome.what == "failed" for outcome in others):
        return  # what cannot be judged is not what nobody wants
    if not members:
        yield from pointless(world, replace(seen, pulls={branch: pulls}), ())
        return
    for member in members:
        yield from _alone(world, seen, member, branch)
    demand = _demand(seen, branch, wants)
    proposal = grouped(branch, members, pulls, demand)
    outcome = publish.applied(world, seen.base.commit, proposal, pulls)
    reasons = (*outcome.reasons, *([demand_text(demand)] if demand else ()))
    for member in members:
        yield replace(outcome, release=str(member.key), version=member.version, reasons=reasons)


def _why_unsure(world: World, seen: Seen, pull: PullRequest, others: Sequence[Outcome]) -> str:
    """Why it is not sure that a shared pull request has lost one of its releases.

    Args:
        world: the registry, which may be asked.
        seen: what this cycle has seen.
        pull: the open pull request.
        others: what came of releases that add nothing to it this time.
    """
    names = {str(key) for key in members_of(pull)}
    for outcome in others:
        if outcome.what in _UNSURE and outcome.release in names:
            return f"{outcome.release}: {outcome.reasons[0]}"
    return _doubt(world, seen, pull)


def _demand(seen: Seen, branch: str, wants: Sequence[Want]) -> Demand | None:
    """Why releases share a pull request where their environment does not ask for it."""
    if any(branch_of_group(want.release) == branch for want in wants):
        return None
    return seen.sharing.groups[branch].demand if branch in seen.sharing.groups else None


def _member(
    world: World, seen: Seen, want: Want, pulls: Sequence[PullRequest], failures: list[str]
) -> Proposal | Outcome:
    """What one release adds, or why it adds nothing; what fails for many is not theirs."""
    try:
        with apart("a promotion", git.RefMovedError):
            return _share(world, seen, want, pulls, failures)
    except UnforeseenError as error:
        return failure(str(want.release.key), error, want.version.version)


def _share(
    world: World, seen: Seen, want: Want, pulls: Sequence[PullRequest], failures: list[str]
) -> Proposal | Outcome:
    name = str(want.release.key)
    concerned = [*seen.about(want.release.key), *(share_of(pull, name) for pull in pulls)]
    taken = quarantine.taken(world, seen.base.commit, want, concerned)
    if taken:
        return taken
    no = snapshot.rejecting(world, want, concerned)
    if no:
        return snapshot.rejection(want, no.number)
    if not ownership.is_ours(world, branch_of(want.release.key)):
        said = "somebody committed to its own branch; delete that to hand it back"
        return Outcome(name, "left alone", want.version.version, reasons=(said,))
    try:
        result = snapshot.judged(world, seen.base, want, ())
    except UsageError as error:
        said = str(error)
        failures.append(said)
        if failures[-ALIKE:] == [said] * ALIKE:
            raise
        return failure(name, error, want.version.version)
    if not isinstance(result, Refusal):
        forget_measured(world, want.release.key)
        return result
    return _kept(world, result, name, concerned) or snapshot.refused(name, result)


def _kept(world: World, result: Refusal, name: str, pulls: Sequence[PullRequest]) -> Outcome | None:
    """The outcome of a version that stays proposed for now, though it is refused."""
    for pull in pulls:
        if pull.state == "open" and keeps(world, result, pull):
            return kept_open(world, name, pull, result.version, result.reasons)
    return None


def _alone(world: World, seen: Seen, member: Proposal, branch: str) -> Iterator[Outcome]:
    """Withdraw the pull request that a release had for itself: there is never more than one."""
    for pull in seen.pulls.get(branch_of(member.key), ()):
        if pull.state == "open":
            reason = f"it is part of the pull request of {branch} now"
            yield publish.closed(world, str(member.key), pull, reason)
    ownership.sweep(world, branch_of(member.key))


def _all_of(world: World, seen: Seen, branch: str) -> Sequence[PullRequest]:
    """The pull requests of a shared branch, also those that are not listed any more."""
    pulls = seen.pulls.get(branch, ())
    if any(pull.state == "open" for pull in pulls):
        return pulls
    return world.forge.of_branch(branch)
