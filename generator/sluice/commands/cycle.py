"""One cycle of the reconciler: observe, let the core judge, and apply what it proposes.

Every effect looks before it acts, so a cycle that was killed is finished by the next one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sluice import git
from sluice.commands.revisions import workspace_of
from sluice.commands.served import circumstances
from sluice.commands.workspace import Workspace
from sluice.core.converge import Facts, Proposal, Refusal, branch_of, propose, rejected
from sluice.core.evidence import registered
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.message import read_marker, withdrawn
from sluice.core.model import Evaluation, Forge, ModelVersion, PullRequest, Registry, Signature
from sluice.core.wants import Idle, Want, wants

MAIN = "refs/heads/main"
AUTHOR = Signature("Sluice", "reconciler@sluice.dev")
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one release in this cycle."""

    release: str
    what: str
    version: str = ""
    pull: int = 0
    reasons: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True)
class World:
    """Everything outside: the repository, the registry, the forge and the clock."""

    repository: git.Repository
    registry: Registry
    forge: Forge
    clock: Callable[[], int]
    dry_run: bool = False


@dataclass(frozen=True)
class _Base:
    """The base revision that a cycle works on."""

    commit: str
    workspace: Workspace


def cycle(world: World) -> Iterator[Outcome]:
    """Bring the pull requests to what the registry asks for.

    Raises:
        FindingsError: when the base revision itself is broken; nothing is proposed then.
        UsageError: when the registry or the repository cannot be reached.
    """
    base = _base(world)
    specs = base.workspace.specs
    following = [r for r in specs.releases.values() if r.environment.follows]
    observed = world.registry.versions({r.value("model.name") for r in following})
    pulls = _by_branch(world.forge.list())
    for want in wants(specs, observed, registered(specs, base.workspace.files)):
        yield from _persistent(world, base, want, pulls, observed)


def _base(world: World) -> _Base:
    commit = git.resolve(world.repository, MAIN)
    workspace = workspace_of(world.repository, commit)
    findings = workspace.check()
    if failed(findings):
        raise FindingsError(findings)
    return _Base(commit, workspace)


def _persistent(
    world: World,
    base: _Base,
    want: Want | Idle,
    pulls: Mapping[str, Sequence[PullRequest]],
    observed: Mapping[str, Sequence[ModelVersion]],
) -> Iterator[Outcome]:
    """Deal with one release; when somebody else moved its branch first, look again."""
    key = want.release.key
    for attempt in range(ATTEMPTS):
        mine = pulls.get(branch_of(key), ())
        try:
            if isinstance(want, Idle):
                yield from _idle(world, want, mine)
            else:
                yield _wanted(world, base, want, mine)
        except git.RefMovedError as error:
            if attempt + 1 == ATTEMPTS:
                raise UsageError(f"{key}: {error}, again and again") from None
            base, pulls = _base(world), _by_branch(world.forge.list())
            specs = base.workspace.specs
            again = wants(specs, observed, registered(specs, base.workspace.files))
            want = next((w for w in again if w.release.key == key), want)
        else:
            return


def _by_branch(pulls: Sequence[PullRequest]) -> Mapping[str, Sequence[PullRequest]]:
    found: dict[str, list[PullRequest]] = {}
    for pull in pulls:
        found.setdefault(pull.branch, []).append(pull)
    return found


def _idle(world: World, idle: Idle, pulls: Sequence[PullRequest]) -> Iterator[Outcome]:
    release = str(idle.release.key)
    for pull in pulls:
        if pull.state == "open" and _is_ours(world, pull):
            yield _closed(world, release, pull, f"pointless now: {idle.reason}")
    _sweep(world, branch_of(idle.release.key))
    what = "cannot follow" if idle.problem else "nothing to do"
    yield Outcome(release, what, reasons=(idle.reason,), refused=idle.problem)


def _sweep(world: World, branch: str) -> None:
    """Delete a merged branch that a killed merge left behind."""
    ref = f"refs/heads/{branch}"
    head = git.tip(world.repository, ref)
    if head and not world.dry_run and git.is_ancestor(world.repository, head, MAIN):
        git.update_ref(world.repository, ref, None, head)


def _wanted(world: World, base: _Base, want: Want, pulls: Sequence[PullRequest]) -> Outcome:
    release, version = str(want.release.key), want.version.version
    rejection = rejected(want, pulls)
    if rejection:
        said = f"pull request #{rejection.number} was closed, which rejects this version"
        return Outcome(release, "rejected", version, rejection.number, (said,))
    result = _judged(world, base, want, pulls)
    if isinstance(result, Refusal):
        for pull in pulls:
            if pull.state == "open" and _is_ours(world, pull):
                _closed(world, release, pull, f"version {version} took its place and was refused")
        return Outcome(release, "refused", version, 0, result.reasons, refused=True)
    return _applied(world, base, result, pulls)


def _judged(
    world: World, base: _Base, want: Want, pulls: Sequence[PullRequest]
) -> Proposal | Refusal:
    workspace, registry = base.workspace, world.registry
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


def _applied(
    world: World, base: _Base, proposal: Proposal, pulls: Sequence[PullRequest]
) -> Outcome:
    release = str(proposal.key)
    current = next((pull for pull in pulls if pull.state == "open"), None)
    if current and not _is_ours(world, current):
        said = f"somebody committed to the branch of pull request #{current.number}"
        return Outcome(release, "left alone", proposal.version, current.number, (said,))
    if world.dry_run:
        what = "would update" if current else "would propose"
        reasons = (proposal.title, *sorted(proposal.changes), *proposal.waits)
        return Outcome(release, what, proposal.version, current.number if current else 0, reasons)
    pushed = _push(world, base, proposal)
    pull = world.forge.ensure(
        branch=proposal.branch, base="main", title=proposal.title, body=proposal.body
    )
    if proposal.automatic and pull.state == "open":
        return _merged(world, release, proposal, pull)
    told = pushed or current is None or (current.body, current.title) != (pull.body, pull.title)
    what = "proposed" if current is None else "updated" if told else "unchanged"
    return Outcome(release, what, proposal.version, pull.number, proposal.waits)


def _merged(world: World, release: str, proposal: Proposal, pull: PullRequest) -> Outcome:
    try:
        world.forge.merge(pull.number, pull.head)
    except UsageError as error:
        return Outcome(release, "could not merge", proposal.version, pull.number, (str(error),))
    return Outcome(release, "merged", proposal.version, pull.number)


def _push(world: World, base: _Base, proposal: Proposal) -> bool:
    """Bring the branch to the proposal; False when it says all of it already."""
    repository, ref = world.repository, f"refs/heads/{proposal.branch}"
    tree = git.write_tree(repository, base.commit, proposal.changes)
    head = git.tip(repository, ref)
    if head and _says(repository, head, tree, base.commit):
        return False
    commit = git.commit(
        repository, tree, [base.commit], proposal.message, AUTHOR, time=world.clock()
    )
    git.update_ref(repository, ref, commit, head)
    return True


def _says(repository: git.Repository, head: str, tree: str, base: str) -> bool:
    """Whether a branch already makes this change, though perhaps to an older base.

    It does when it touches the same files with the same content and the base has not touched
    any of them since; then a push would only make reviews and checks start again.
    """
    parents = git.commit_of(repository, head).parents
    if len(parents) != 1:
        return False
    wanted = git.changed_paths(repository, base, tree)
    return (
        git.changed_paths(repository, parents[0], head) == wanted
        and not set(git.changed_paths(repository, head, tree)) & set(wanted)
        and not set(git.changed_paths(repository, parents[0], base)) & set(wanted)
    )


def _is_ours(world: World, pull: PullRequest) -> bool:
    """Whether nobody else has committed to the branch."""
    if not pull.head:
        return True
    head = git.commit_of(world.repository, pull.head)
    return head.email == AUTHOR.email


def _closed(world: World, release: str, pull: PullRequest, reason: str) -> Outcome:
    said = read_marker(pull.body)
    version = said[0] if said else ""
    if world.dry_run:
        return Outcome(release, "would close", version, pull.number, (reason,))
    world.forge.ensure(
        branch=pull.branch, base=pull.base, title=pull.title, body=withdrawn(pull.body)
    )
    world.forge.close(pull.number, reason)
    return Outcome(release, "closed", version, pull.number, (reason,))
