"""One cycle of the reconciler: observe, let the core judge, and apply what it proposes.

Every effect looks before it acts, so a cycle that was killed is finished by the next one.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sluice import git
from sluice.core.finding import FindingsError, UsageError
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.pipeline import culprits
from sluice.core.plan.cost import tallies
from sluice.core.promotion.converge import branch_of
from sluice.core.promotion.sound import Sound, sound
from sluice.core.promotion.wants import Idle, Want
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.forges.limits import RateLimitedError
from sluice.reconciler.promotions import confirmation, decide, publish, registry_view, upkeep
from sluice.reconciler.promotions.groups import arranged, is_shared, pointless, shared, together
from sluice.reconciler.promotions.snapshot import Base, Pulls, Ready, Seen
from sluice.reconciler.runtime import ALIKE, Outcome, World, failure, main_of
from sluice.workspace.revisions import Revision, workspace_of
from sluice.workspace.workspace import FOLDERS, Workspace

ATTEMPTS = 5
# Branches that are pushed at once: while they are prepared, none of their releases is dealt with.
BATCH = 50
Task = Sequence[Want | Idle]


def cycle(world: World) -> Iterator[Outcome]:
    """Bring the pull requests to what the registry asks for.

    What goes wrong with one release is its outcome and does not keep the others from theirs.

    Raises:
        BrokenBaseError: when what all releases have in common is broken; nothing is proposed then.
        UsageError: when a server cannot be reached, or refuses every release alike.
    """
    base = base_of(world)
    for name, reasons in base.sound.broken.items():
        yield Outcome(name, "broken", reasons=reasons, refused=True)
    observed, silent = registry_view.observed_apart(world, base)
    if world.is_stopping():
        return
    confirmation.check_observed(world, base.followed[0] - silent.keys(), observed)
    pulls = by_branch(world.pulls())
    yield from upkeep.attended(world, pulls)
    seen = Seen(base, pulls, observed)
    failures: list[str] = []
    found, unclear = registry_view.asked_for(base, observed, silent)
    yield from registry_view.told(unclear)
    confirmation.forget_shown(world, found)
    seen = replace(seen, sharing=arranged(world, seen, found))
    seen = replace(seen, idle={w.release.key: w for w in found if isinstance(w, Idle)})
    living = [*shared(seen, found), *registry_view.branches_with(pulls, unclear)]
    yield from pointless(world, seen, living)
    for some in _batches(_tasks(seen, found)):
        due = [each for each in some if all(world.is_due(str(w.release.key)) for w in each)]
        prepared = replace(seen, ahead=_ahead(world, seen, due))
        for wanted in due:
            if world.is_stopping():
                return
            yield from _isolated(world, prepared, wanted, failures)


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """The tasks in pieces in which not too many releases want something."""
    some: list[Task] = []
    asked = 0
    for task in tasks:
        some.append(task)
        asked += sum(isinstance(want, Want) for want in task)
        if asked >= BATCH:
            yield some
            some, asked = [], 0
    yield some


def _ahead(world: World, seen: Seen, tasks: Sequence[Task]) -> Mapping[Key, Outcome | Ready]:
    """What is decided about the releases that want something by themselves, if there are more."""
    alone = [w for task in tasks for w in task if isinstance(w, Want) and not is_shared(seen, w)]
    try:
        with apart("several releases at once", git.RefMovedError):
            new = [want for want in alone if _sight(world, seen, want)[1] is None]
            return decide.ahead(world, seen, new) if new[1:] and not world.dry_run else {}
    except UnforeseenError:  # told of the release that it is about when its turn comes
        return {}


def _tasks(seen: Seen, found: Sequence[Want | Idle]) -> Iterator[Task]:
    """Each release by itself, then those that share a pull request together."""
    yield from ([want] for want in found if not is_shared(seen, want))
    yield from shared(seen, found).values()


def _isolated(
    world: World, seen: Seen, wanted: Sequence[Want | Idle], failures: list[str]
) -> Iterator[Outcome]:
    """Deal with one release, or with those that share one pull request.

    An error is their outcome, unless it is everybody's.
    """
    promoted = {str(w.release.key): w.version for w in wanted if isinstance(w, Want)}
    try:
        with apart("a promotion", BrokenBaseError):
            for outcome in _persistent(world, seen, wanted):
                version = promoted.get(outcome.release)
                yield replace(outcome, promoted=version.updated if version else 0)
    except (RateLimitedError, git.CredentialsRefusedError, git.SigningError):
        raise
    except UsageError as error:
        for want in wanted:
            name = str(want.release.key)
            yield failure(name, error, promoted[name].version if name in promoted else "")
        if isinstance(error, UnforeseenError):  # the same defect in many is not a server's trouble
            return
        failures.append(str(error))
        if failures[-ALIKE:] == [str(error)] * ALIKE:
            raise
    else:
        failures.clear()


class BrokenBaseError(FindingsError):
    """What all releases have in common is broken in the base revision."""


def base_of(world: World) -> Base:
    """The base revision as it is now, or was at the look for this cycle if that is the last one.

    Raises:
        BrokenBaseError: when it is broken.
    """
    if not world.memory.looked:
        world.look()
    world.memory.looked = False
    commit = main_of(world.repository)
    known: Base | None = world.memory.base
    if known and known.commit == commit:
        return known
    workspace = known and _moved(world.repository, known, commit)
    workspace = workspace or workspace_of(world.repository, commit)
    base = Base(commit, workspace, _sound(workspace))
    for specs in (workspace.specs, base.sound.specs):
        specs.settle()
    world.memory.base = base
    return base


def _sound(workspace: Workspace) -> Sound:
    """What of the specs is in order, with its devices and costs counted."""
    catalog = workspace.tools.catalog
    try:
        found = sound(workspace.specs, workspace.check())
    except FindingsError as error:
        raise BrokenBaseError(error.findings) from None
    try:
        with isolated("the sums of all releases"):
            tallies(found.specs, catalog)
    except UnforeseenError:
        odd = culprits(found.specs, lambda one: tallies(one, catalog))
        if not odd:
            raise
        rest = found.specs.apart(found.specs.releases.keys() - odd)
        return Sound(rest, {**found.broken, **{str(k): (str(e),) for k, e in odd.items()}})
    return found


def _moved(repository: git.Repository, known: Base, commit: str) -> Workspace | None:
    """The workspace of another commit by what has changed; None when that is not enough."""
    try:
        changed = {
            path
            for folder in FOLDERS
            for path in git.changed_paths(repository, known.commit, commit, folder)
        }
    except UsageError:  # the branch was rewritten, and its old commits were tidied away
        return None
    now = Revision(repository, commit).workspace(changed) if changed else Workspace({})
    return known.workspace.moved(changed, now)


def _persistent(world: World, seen: Seen, wanted: Sequence[Want | Idle]) -> Iterator[Outcome]:
    """Do what is wanted; when somebody else moved its branch first, look again."""
    keys = {want.release.key for want in wanted}
    for attempt in range(ATTEMPTS):
        try:
            yield from _acted(world, seen, wanted)
        except git.RefMovedError as error:
            if attempt + 1 == ATTEMPTS:
                raise UsageError(f"{min(keys)}: {error}, again and again") from None
            world.pause(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # spreads out processes
            seen = replace(seen, base=base_of(world), pulls=by_branch(world.pulls()))
            # What was merged meanwhile may have the words of what was pushed after it.
            yield from upkeep.attended(world, seen.pulls)
            again, _ = registry_view.asked_for(seen.base, seen.observed)
            seen = replace(seen, sharing=arranged(world, seen, again, again=True), ahead={})
            wanted = [want for want in again if want.release.key in keys]
        else:
            return


def _acted(world: World, seen: Seen, wanted: Sequence[Want | Idle]) -> Iterator[Outcome]:
    for want in wanted:
        if not is_shared(seen, want):
            yield from _release(world, seen, want)
    for branch, members in shared(seen, wanted).items():
        yield from together(world, seen, branch, members)


def _release(world: World, seen: Seen, want: Want | Idle) -> Iterator[Outcome]:
    """All that is done for one release; each step looks at the world anew."""
    key = want.release.key
    if isinstance(want, Idle):
        yield from publish.idle(world, want, seen.observed, seen.pulls.get(branch_of(key), ()))
        return
    sight, known = _sight(world, seen, want)
    if known is None:
        known = _done(world, seen, want)
        if known.is_settled:
            world.memory.settle(str(key), sight, known, world.clock())
    yield known


def _sight(world: World, seen: Seen, want: Want) -> tuple[object, Outcome | None]:
    """Everything that a release is judged by, and what it came to when it was the same before."""
    key = want.release.key
    tip = git.tip(world.repository, f"refs/heads/{branch_of(key)}")
    about = tuple(seen.about(key))
    around = seen.base.around(world.repository, key)
    sight = (want.version, want.deployed, want.notes, around, about, tip)
    return sight, world.memory.recall(str(key), sight, world.clock())


def _done(world: World, seen: Seen, want: Want) -> Outcome:
    found = seen.ahead.get(want.release.key) or decide.decided(world, seen, want)
    if isinstance(found, Outcome):
        return found
    return publish.applied(world, seen.base.commit, found.proposal, found.pulls, found.pushed)


def by_branch(pulls: Sequence[PullRequest]) -> Pulls:
    """Pull requests by their branch."""
    found: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        found.setdefault(pull.branch, []).append(pull)
    return found
