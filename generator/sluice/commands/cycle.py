"""One cycle of the reconciler: observe, let the core judge, and apply what it proposes.

Every effect looks before it acts, so a cycle that was killed is finished by the next one.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sluice import git
from sluice.commands import grouping, judging, proposing, taking_back
from sluice.commands.grouping import arranged, is_shared, pointless, shared, together
from sluice.commands.judging import Base, Pulls, Seen
from sluice.commands.revisions import workspace_of
from sluice.commands.world import ALIKE, AUTHOR, MAIN, Outcome, World
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.layout import Key
from sluice.core.model import ModelVersion, PullRequest
from sluice.core.promotion.converge import Refusal, branch_of, rejected
from sluice.core.promotion.evidence import registered
from sluice.core.promotion.wants import Idle, Want, wants
from sluice.core.tree import Specs
from sluice.forges.answers import RefusedError
from sluice.forges.limits import RateLimitedError

__all__ = ["AUTHOR", "MAIN", "Outcome", "World", "base_of", "by_branch", "cycle", "observe"]

ATTEMPTS = 5


def cycle(world: World) -> Iterator[Outcome]:
    """Bring the pull requests to what the registry asks for.

    What goes wrong with one release is its outcome and does not keep the others from theirs.

    Raises:
        FindingsError: when the base revision itself is broken; nothing is proposed then.
        UsageError: when a server cannot be reached, or refuses every release alike.
    """
    base = base_of(world)
    specs = base.workspace.specs
    observed = observe(world, specs)
    seen = Seen(base, by_branch(world.forge.list()), observed)
    failures: list[str] = []
    found = wants(specs, observed, registered(specs, base.workspace.files))
    seen = replace(seen, sharing=arranged(world, seen, found))
    yield from pointless(world, seen, list(shared(seen, found)))
    for wanted in _tasks(seen, found):
        if world.is_stopping():
            return
        if all(world.is_due(str(want.release.key)) for want in wanted):
            yield from _isolated(world, seen, wanted, failures)


def _tasks(seen: Seen, found: Sequence[Want | Idle]) -> Iterator[Sequence[Want | Idle]]:
    """Each release by itself, then those that share a pull request together."""
    yield from ([want] for want in found if not is_shared(seen, want))
    yield from shared(seen, found).values()


def observe(world: World, specs: Specs) -> Mapping[str, Sequence[ModelVersion]]:
    """Every version of the models that a release follows."""
    names: set[str] = set()
    aliased: set[str] = set()
    for release in specs.releases.values():
        follows = release.environment.follows
        if follows:
            names.add(release.value("model.name"))
        if follows and follows.alias:
            aliased.add(release.value("model.name"))
    return world.registry.versions(names, aliased)


def _isolated(
    world: World, seen: Seen, wanted: Sequence[Want | Idle], failures: list[str]
) -> Iterator[Outcome]:
    """Deal with one release, or with those that share one pull request.

    An error is their outcome, unless it is everybody's.
    """
    promoted = {str(w.release.key): w.version for w in wanted if isinstance(w, Want)}
    try:
        for outcome in _persistent(world, seen, wanted):
            version = promoted.get(outcome.release)
            yield replace(outcome, promoted=version.updated if version else 0)
    except (RateLimitedError, git.CredentialsRefusedError, git.SigningError):
        raise
    except UsageError as error:
        said, cause = str(error), _cause(error)
        for want in wanted:
            name = str(want.release.key)
            number = promoted[name].version if name in promoted else ""
            yield Outcome(name, "failed", number, reasons=(said,), refused=True, cause=cause)
        failures.append(said)
        if failures[-ALIKE:] == [said] * ALIKE:
            raise
    else:
        failures.clear()


def _cause(error: UsageError) -> str:
    """Name the kind of a failure in few words."""
    if isinstance(error, RefusedError):
        return f"forge answers {error.status}"
    return "push refused" if isinstance(error, git.PushRefusedError) else "other"


def base_of(world: World) -> Base:
    """The base revision as it is now.

    Raises:
        FindingsError: when it is broken.
    """
    world.upstream.refresh()
    commit = git.resolve(world.repository, MAIN)
    known: Base | None = world.memory.base
    if known and known.commit == commit:
        return known
    workspace = workspace_of(world.repository, commit)
    findings = workspace.check()
    if failed(findings):
        raise FindingsError(findings)
    world.memory.base = Base(commit, workspace)
    return Base(commit, workspace)


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
            seen = replace(seen, base=base_of(world), pulls=by_branch(world.forge.list()))
            workspace = seen.base.workspace
            recorded = registered(workspace.specs, workspace.files)
            again = wants(workspace.specs, seen.observed, recorded)
            seen = replace(seen, sharing=arranged(world, seen, again, again=True))
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
    pulls = seen.pulls.get(branch_of(key), ())
    if isinstance(want, Idle):
        yield from proposing.idle(world, want, pulls)
        return
    about = tuple(seen.about(key))
    sight = (want.version, want.deployed, want.notes, seen.base.commit, about, _tip(world, key))
    known = world.memory.recall(str(key), sight, world.clock())
    if known is None:
        known = _wanted(world, seen, want, _all_of(world, want, pulls))
        if known.is_settled:
            world.memory.settle(str(key), sight, known, world.clock())
    yield known


def _tip(world: World, key: Key) -> str | None:
    return git.tip(world.repository, f"refs/heads/{branch_of(key)}")


def _all_of(world: World, want: Want, pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    """All pull requests of a release, where those that were listed do not decide by themselves.

    A version may have been rejected so long ago that it is not listed any more.
    """
    if _is_open(pulls) or rejected(want, pulls):
        return pulls
    return world.forge.of_branch(branch_of(want.release.key))


def by_branch(pulls: Sequence[PullRequest]) -> Pulls:
    """Pull requests by their branch."""
    found: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        found.setdefault(pull.branch, []).append(pull)
    return found


def _wanted(world: World, seen: Seen, want: Want, pulls: Sequence[PullRequest]) -> Outcome:
    release, base = str(want.release.key), seen.base
    about = [*pulls, *seen.about(want.release.key)]
    no = rejected(want, about)
    if no:
        return judging.rejection(want, no.number)
    taken = taking_back.taken(world, base.commit, want, about)
    if taken:
        return taken
    result = judging.judged(world, base, want, pulls)
    if isinstance(result, Refusal):
        list(judging.withdrawn(world, release, pulls, result))
        return judging.refused(release, result)
    no = None if _is_open(pulls) else rejected(want, grouping.former(world, seen, want))
    if no:
        return judging.rejection(want, no.number)
    return proposing.applied(world, base.commit, result, pulls)


def _is_open(pulls: Sequence[PullRequest]) -> bool:
    return any(pull.state == "open" for pull in pulls)
