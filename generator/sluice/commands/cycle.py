"""One cycle of the reconciler: observe, let the core judge, and apply what it proposes.

Every effect looks before it acts, so a cycle that was killed is finished by the next one.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sluice import git
from sluice.commands import proposing, signalling, taking_back
from sluice.commands.revisions import workspace_of
from sluice.commands.served import circumstances
from sluice.commands.workspace import Workspace
from sluice.commands.world import AUTHOR, MAIN, Outcome, World
from sluice.core.converge import Facts, Proposal, Refusal, branch_of, propose, rejected
from sluice.core.evidence import registered
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.layout import Key
from sluice.core.model import Evaluation, ModelVersion, PullRequest, Registry
from sluice.core.signals import refusal
from sluice.core.tree import Specs
from sluice.core.wants import Idle, Want, wants
from sluice.forges.answers import RefusedError
from sluice.forges.limits import RateLimitedError

__all__ = ["AUTHOR", "MAIN", "Outcome", "World", "cycle"]

ATTEMPTS = 5
# Releases that fail with the same words are not what is wrong.
ALIKE = 3
# Outcomes that stay what they are while nothing that they were judged by changes.
_SETTLED = {"unchanged", "rejected", "left alone", "refused"}

Pulls = Mapping[str, Sequence[PullRequest]]


@dataclass(frozen=True)
class _Base:
    """The base revision that a cycle works on."""

    commit: str
    workspace: Workspace


@dataclass(frozen=True)
class _Seen:
    """What a cycle looked at before it began to act."""

    base: _Base
    pulls: Pulls
    observed: Mapping[str, Sequence[ModelVersion]]


def cycle(world: World) -> Iterator[Outcome]:
    """Bring the pull requests to what the registry asks for.

    What goes wrong with one release is its outcome and does not keep the others from theirs.

    Raises:
        FindingsError: when the base revision itself is broken; nothing is proposed then.
        UsageError: when a server cannot be reached, or refuses every release alike.
    """
    base = _base(world)
    specs = base.workspace.specs
    observed = _observed(world, specs)
    seen = _Seen(base, _by_branch(world.forge.list()), observed)
    failures: list[str] = []
    for want in wants(specs, observed, registered(specs, base.workspace.files)):
        if world.is_stopping():
            return
        if world.is_due(str(want.release.key)):
            yield from _isolated(world, seen, want, failures)


def _observed(world: World, specs: Specs) -> Mapping[str, Sequence[ModelVersion]]:
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
    world: World, seen: _Seen, want: Want | Idle, failures: list[str]
) -> Iterator[Outcome]:
    """Deal with one release; an error is its outcome, unless it is everybody's."""
    release = str(want.release.key)
    version = want.version if isinstance(want, Want) else None
    try:
        for outcome in _persistent(world, seen, want):
            yield replace(outcome, promoted=version.updated if version else 0)
    except (RateLimitedError, git.CredentialsRefusedError):
        raise
    except UsageError as error:
        said = str(error)
        number = version.version if version else ""
        cause = _cause(error)
        yield Outcome(release, "failed", number, reasons=(said,), refused=True, cause=cause)
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


def _base(world: World) -> _Base:
    world.upstream.refresh()
    commit = git.resolve(world.repository, MAIN)
    known: _Base | None = world.memory.base
    if known and known.commit == commit:
        return known
    workspace = workspace_of(world.repository, commit)
    findings = workspace.check()
    if failed(findings):
        raise FindingsError(findings)
    world.memory.base = _Base(commit, workspace)
    return _Base(commit, workspace)


def _persistent(world: World, seen: _Seen, want: Want | Idle) -> Iterator[Outcome]:
    """Deal with one release; when somebody else moved its branch first, look again."""
    key = want.release.key
    for attempt in range(ATTEMPTS):
        try:
            yield from _release(world, seen, want)
        except git.RefMovedError as error:
            if attempt + 1 == ATTEMPTS:
                raise UsageError(f"{key}: {error}, again and again") from None
            world.pause(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # spreads out processes
            seen = replace(seen, base=_base(world), pulls=_by_branch(world.forge.list()))
            workspace = seen.base.workspace
            recorded = registered(workspace.specs, workspace.files)
            again = wants(workspace.specs, seen.observed, recorded)
            want = next((w for w in again if w.release.key == key), want)
        else:
            return


def _release(world: World, seen: _Seen, want: Want | Idle) -> Iterator[Outcome]:
    """All that is done for one release; each step looks at the world anew."""
    key = want.release.key
    pulls = seen.pulls.get(branch_of(key), ())
    if isinstance(want, Idle):
        yield from proposing.idle(world, want, pulls)
        return
    sight = (want.version, want.deployed, want.notes, seen.base.commit, pulls, _tip(world, key))
    known = world.memory.recall(str(key), sight, world.clock())
    if known is None:
        known = _wanted(world, seen.base, want, _all_of(world, want, pulls))
        if known.what in _SETTLED:
            world.memory.settle(str(key), sight, known, world.clock())
    yield known


def _tip(world: World, key: Key) -> str | None:
    return git.tip(world.repository, f"refs/heads/{branch_of(key)}")


def _all_of(world: World, want: Want, pulls: Sequence[PullRequest]) -> Sequence[PullRequest]:
    """All pull requests of a release, where those that were listed do not decide by themselves.

    A version may have been rejected so long ago that it is not listed any more.
    """
    if any(pull.state == "open" for pull in pulls) or rejected(want, pulls):
        return pulls
    return world.forge.of_branch(branch_of(want.release.key))


def _by_branch(pulls: Sequence[PullRequest]) -> Pulls:
    found: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        found.setdefault(pull.branch, []).append(pull)
    return found


def _wanted(world: World, base: _Base, want: Want, pulls: Sequence[PullRequest]) -> Outcome:
    release, version = str(want.release.key), want.version.version
    rejection = rejected(want, pulls)
    if rejection:
        said = f"pull request #{rejection.number} was closed, which rejects this version"
        return Outcome(release, "rejected", version, rejection.number, (said,))
    taken = taking_back.taken(world, base.commit, want, pulls)
    if taken:
        return taken
    result = _judged(world, base, want, pulls)
    if isinstance(result, Refusal):
        reason = f"version {version} took its place and was refused"
        for pull in pulls:
            if pull.state == "open" and proposing.is_ours(world, pull.branch):
                signalling.refused(world, pull, refusal(version, result.reasons))
                proposing.closed(world, release, pull, reason)
        return Outcome(release, "refused", version, 0, result.reasons, refused=True)
    return proposing.applied(world, base.commit, result, pulls)


def _judged(
    world: World, base: _Base, want: Want, pulls: Sequence[PullRequest]
) -> Proposal | Refusal:
    workspace, registry = base.workspace, world.registry
    # What listed it may have remembered its tags, and one of them may be an approval.
    want = replace(want, version=registry.fresh(want.version))
    evaluation, baseline = registry.evaluation(want.version), _baseline(registry, want)
    facts = Facts(
        evaluation=evaluation,
        baseline=baseline,
        pulls=pulls,
        link=registry.url(want.version),
        about=circumstances(
            world.repository, base.commit, want, evaluation, baseline, world.clock()
        ),
    )
    return propose(want, facts, workspace.specs, workspace.files, workspace.tools)


def _baseline(registry: Registry, want: Want) -> Evaluation:
    """Of the deployed version; nothing measured when the registry has lost it."""
    deployed: ModelVersion | None = want.deployed
    return registry.evaluation(deployed) if deployed else Evaluation()
