"""What to do about one release, and about many of them before their branches are pushed at once."""

from collections.abc import Iterable, Iterator, Sequence

from sluice import git
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.converge import Refusal, branch_of, rejected
from sluice.core.promotion.wants import Want
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions import groups, publish, quarantine, snapshot
from sluice.reconciler.promotions.confirmation import forget_measured
from sluice.reconciler.promotions.snapshot import Ready, Seen
from sluice.reconciler.runtime import ALIKE, Outcome, World


def decided(world: World, seen: Seen, want: Want) -> Outcome | Ready:
    """What is proposed, or what became of it when nothing is.

    Raises:
        RefMovedError: when somebody was first; look again.
    """
    release, pulls = str(want.release.key), _all_of(world, seen, want)
    about = [*pulls, *seen.about(want.release.key)]
    taken = quarantine.taken(world, seen.base.commit, want, about)
    if taken:
        return taken
    no = snapshot.rejecting(world, want, about)
    if no:
        return snapshot.rejection(want, no.number)
    result = snapshot.judged(world, seen.base, want, pulls)
    if isinstance(result, Refusal):
        told = list(snapshot.withdrawn(world, pulls, result))
        waiting = next((each for each in told if each.what == "not confirmed"), None)
        return waiting or snapshot.refused(release, result)
    forget_measured(world, want.release.key)
    shared = () if _is_open(pulls) else groups.former(world, seen, want)
    no = snapshot.rejecting(world, want, shared)
    return snapshot.rejection(want, no.number) if no else Ready(result, pulls)


def ahead(world: World, seen: Seen, wants: Iterable[Want]) -> dict[Key, Outcome | Ready]:
    """Decide about several releases, and push the branches of all of them in one conversation.

    This saves conversations and nothing else: where it fails, the release that it fails for is
    dealt with by itself when its turn comes, as if this had been killed here.
    """
    found = dict(_decisions(world, seen, wants))
    ready = {key: each for key, each in found.items() if isinstance(each, Ready)}
    together = [(each.proposal, each.pulls) for each in ready.values()]
    pushed = publish.pushed_ahead(world, seen.base.commit, together)
    return found | {
        key: each._replace(pushed=pushed.get(each.proposal.branch)) for key, each in ready.items()
    }


def _decisions(
    world: World, seen: Seen, wants: Iterable[Want]
) -> Iterator[tuple[Key, Outcome | Ready]]:
    failures = 0
    for want in wants:
        if failures == ALIKE or world.is_stopping():
            return
        try:
            with apart("a promotion", git.RefMovedError):
                result = decided(world, seen, want)
            yield want.release.key, result
            failures = 0
        except RateLimitedError:
            return
        except UnforeseenError:
            continue
        except (UsageError, git.RefMovedError):  # told when its turn comes
            failures += 1


def _all_of(world: World, seen: Seen, want: Want) -> Sequence[PullRequest]:
    """All pull requests of a release, where those that were listed do not decide by themselves.

    A version may have been rejected so long ago that it is not listed any more.
    """
    branch = branch_of(want.release.key)
    pulls = seen.pulls.get(branch, ())
    if _is_open(pulls) or rejected(want, pulls):
        return pulls
    return world.forge.of_branch(branch)


def _is_open(pulls: Sequence[PullRequest]) -> bool:
    return any(pull.state == "open" for pull in pulls)
