"""Which releases share a pull request now: by what is wanted, what is open, and what has room."""

from collections.abc import Collection, Mapping, Sequence

from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.promotion.branches import branch_of
from sluice.core.promotion.converge import Proposal, rejected
from sluice.core.promotion.decide import judge_version
from sluice.core.promotion.group import demand_of, members_of
from sluice.core.promotion.rejection import is_open, pulls_about
from sluice.core.promotion.sharing import Group, Sharing, shared_by
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Idle, Want
from sluice.core.unforeseen import UnforeseenError, apart

# What became of a release for which nothing is opened.
_FRUITLESS = frozenset({"refused", "rejected", "left alone"})


def arrange(snapshot: Snapshot, asked: Sequence[Want | Idle]) -> Sharing:
    """Decide which releases share a pull request.

    Args:
        snapshot: the world.
        asked: what the registry asks for each release.
    """
    wants = [want for want in asked if isinstance(want, Want)]
    releases = [want.release for want in wants]
    settled = {want.release.key for want in wants if _is_settled(snapshot, want)}
    living = groups_at_work(snapshot)
    sharing = shared_by(releases, living, settled, snapshot.room)
    if sharing.demand is None:
        return sharing
    # Only now it is worth asking of each whether its gates let it be proposed at all.
    opening = {want.release.key: want for want in wants if want.release.key in sharing.opening}
    barren = {key for key, want in opening.items() if not _is_good(snapshot, want)}
    return shared_by(releases, living, settled | barren, snapshot.room)


def rearrange(snapshot: Snapshot, asked: Sequence[Want | Idle]) -> Sharing:
    """The same after somebody was faster: what was demanded before stays shared."""
    wants = [want for want in asked if isinstance(want, Want)]
    releases = [want.release for want in wants]
    settled = {want.release.key for want in wants if _is_settled(snapshot, want)}
    planned = {b: group for b, group in snapshot.sharing.groups.items() if group.demand}
    return shared_by(releases, {**planned, **groups_at_work(snapshot)}, settled, None)


def is_shared(sharing: Sharing, want: Want | Idle) -> bool:
    """Whether a release has its change in a pull request with others."""
    return isinstance(want, Want) and want.release.key in sharing.branches


def by_shared_branch(sharing: Sharing, asked: Sequence[Want | Idle]) -> dict[str, list[Want]]:
    """The releases that want something, by the branch that they share."""
    wants: dict[str, list[Want]] = {}
    for want in asked:
        if isinstance(want, Want) and want.release.key in sharing.branches:
            wants.setdefault(sharing.branches[want.release.key], []).append(want)
    return wants


def groups_at_work(snapshot: Snapshot) -> Mapping[str, Group]:
    """The shared branches that are at work: with an open pull request, or in a person's hands."""
    groups = {}
    for branch in snapshot.branches():
        try:
            with apart("a shared pull request"):
                group = _group(snapshot, branch)
        except UnforeseenError:  # nobody can tell what is in it, so that nothing is done to it
            group = Group(frozenset(), edited=True)
        if group:
            groups[branch] = group
    return groups


def _group(snapshot: Snapshot, branch: str) -> Group | None:
    """What is at work on a shared branch."""
    pulls = snapshot.pulls.get(branch, ())
    living = next((pull for pull in pulls if pull.state == "open"), None)
    if not snapshot.is_free(branch, pulls):
        held: Collection[Key] = snapshot.releases_on(branch) if living else ()
        return Group(frozenset(held), edited=True)
    return Group(members_of(living), demand=demand_of(living)) if living else None


def _is_settled(snapshot: Snapshot, want: Want) -> bool:
    """Whether no pull request will be opened for a release, by what is known without asking."""
    try:
        with apart("what is known of a release"):
            return _needs_nothing(snapshot, want)
    except UnforeseenError:  # told when its turn comes
        return True


def _needs_nothing(snapshot: Snapshot, want: Want) -> bool:
    key = want.release.key
    if is_open(snapshot.pulls.get(branch_of(key), ())):
        return True
    last = snapshot.last(str(key))
    if last and last.version == want.version.version and last.what in _FRUITLESS:
        return True
    return rejected(want, pulls_about(snapshot, key)) is not None


def _is_good(snapshot: Snapshot, want: Want) -> bool:
    if snapshot.is_stopping():
        return True
    try:
        with apart("a promotion"):
            return isinstance(judge_version(snapshot, want, ()), Proposal)
    except UsageError:  # told when its turn comes
        return False
