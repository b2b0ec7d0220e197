"""What a cycle looked at before it began to act, and what it reads when a decision asks for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar, cast

from sluice import git
from sluice.core import layout
from sluice.core.documents.load import load
from sluice.core.finding import FindingsError, UsageError
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.model import Commit, Evaluation, ModelVersion, Registry
from sluice.core.pipeline import Specs, Standing, Toolkit, route_claims, standings
from sluice.core.plan.cost import tallies
from sluice.core.promotion.branches import BRANCHES, is_group, ref_of
from sluice.core.promotion.converge import Facts
from sluice.core.promotion.decisions import Missing
from sluice.core.promotion.evidence import registered
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.reverts import FormerSpec
from sluice.core.promotion.sharing import ALONE, Sharing
from sluice.core.promotion.sound import Sound
from sluice.core.promotion.wants import Idle, Want
from sluice.reconciler.ownership import is_reconcilers, may_move, promotions_at
from sluice.reconciler.promotions.serving_history import read_circumstances
from sluice.reconciler.runtime import Runtime
from sluice.workspace.workspace import Workspace

Pulls = Mapping[str, Sequence[PullRequest]]
_COMMON = (layout.CATALOG, layout.POLICIES)
_TRAILERS = ("Follows", "Rollout-State", "Quarantine")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Base:
    """The base revision that a cycle works on; `sound` is what of it is in order."""

    commit: str
    workspace: Workspace
    sound: Sound

    @cached_property
    def registered(self) -> Mapping[Key, int]:
        """When the versions that are deployed were registered, where Git knows it."""
        return registered(self.sound.specs, self.workspace.files)

    @cached_property
    def followed(self) -> tuple[frozenset[str], frozenset[str]]:
        """The models that releases follow, and those of them that they follow by an alias."""
        releases = self.sound.specs.releases.values()
        found = [(r.spec.model.name, r.follows) for r in releases]
        names = frozenset(name for name, follows in found if follows)
        return names, frozenset(name for name, follows in found if follows and follows.alias)

    def around(self, repository: git.Repository, key: Key) -> object:
        """What of this revision a proposal for a release is made from, to be compared.

        Commits that change other releases leave it the same, unless they move what the
        environment uses or has left. What it does not tell is seen when all is judged again.
        """
        specs, catalog = self.sound.specs, self.workspace.tools.catalog
        totals, taken = tallies(specs, catalog), standings(specs, catalog)
        standing = taken.get(key.environment, Standing())
        own = (f"{layout.ENVIRONMENTS}/{key}", *layout.rendered_paths(key), *_COMMON)
        paths = (*own, layout.environment_path(key.environment))
        return (
            git.find_ids(repository, self.commit, paths),
            tuple(totals.get(s) for s in (key.environment, f"{key.environment}/{key.team}")),
            (standing.use, standing.claims.contested, route_claims(specs, catalog).contested),
        )


@dataclass(frozen=True)
class CycleSnapshot:
    """One look at the repository, the registry and the forge; see `core.promotion.snapshot`.

    What was listed at the beginning is a field. The rest is read when it is first asked for, and
    `answers` keeps what was told.
    """

    runtime: Runtime
    at: Base
    pulls: Pulls
    observed: Mapping[str, Sequence[ModelVersion]]
    sharing: Sharing = ALONE
    idle: Mapping[Key, Idle] = field(default_factory=dict)
    answers: dict[object, object] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The commit of main."""
        return self.at.commit

    @cached_property
    def now(self) -> int:
        """When it was looked."""
        return self.runtime.clock()

    @property
    def specs(self) -> Specs:
        """The specs of main, as far as they are in order."""
        return self.at.sound.specs

    @property
    def all_specs(self) -> Specs:
        """The specs of main, with what is not in order."""
        return self.at.workspace.specs

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files that they were read from."""
        return self.at.workspace.files

    @property
    def tools(self) -> Toolkit:
        """Schemas, catalog, templates."""
        return self.at.workspace.tools

    @property
    def missing(self) -> Mapping[Missing, int]:
        """Since when the registry does not show something."""
        return self.runtime.memory.missing

    @property
    def merges_later(self) -> bool:
        """Whether merges can be left to the forge."""
        return self.runtime.forge.capabilities.merges_later

    @property
    def room(self) -> int | None:
        """How many pull requests may be opened; None: as many as one likes."""
        return self.runtime.forge.room

    @property
    def _repository(self) -> git.Repository:
        return self.runtime.repository

    def is_stopping(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.runtime.is_stopping()

    def last(self, release: str) -> Outcome | None:
        """What a release came to when it last needed nothing."""
        return self.runtime.memory.last(release)

    def pulls_of(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of a branch, also those that are not listed any more."""
        return self._once(("pulls", branch), lambda: self.runtime.forge.of_branch(branch))

    def lost_branch(self, pull: PullRequest) -> bool:
        """Whether a pull request was closed by deleting its branch."""
        lost = self.runtime.memory.lost
        about = (pull.number, pull.updated, pull.head)
        if about not in lost:
            lost[about] = self.runtime.forge.lost_branch(pull.number)
        return lost[about]

    def objectors(self, pull: PullRequest) -> Sequence[str]:
        """Who asks for changes."""
        return self.runtime.forge.objectors(pull.number)

    def withdrawer(self, pull: PullRequest) -> str:
        """Which person took back on the forge that it merges later."""
        return self.runtime.forge.withdrawer(pull.number)

    def ask_facts(self, want: Want, pulls: Sequence[PullRequest]) -> tuple[Want, Facts]:
        """What the registry and Git say of a version, and the want with it as it is now."""
        registry = self.runtime.registry
        # What listed it may have remembered its tags, and one of them may be an approval.
        want = replace(want, version=registry.fresh(want.version))
        evaluation, baseline = registry.evaluation(want.version), _ask_baseline(registry, want)
        about = read_circumstances(
            self._repository, self.base, want, evaluation, baseline, self.runtime.clock()
        )
        link = registry.url(want.version)
        facts = Facts(evaluation=evaluation, baseline=baseline, pulls=pulls, link=link, about=about)
        return want, facts

    def is_gone(self, model: str) -> bool:
        """Whether the registry says itself that there is no such model."""
        try:
            return self._once(("gone", model), lambda: self.runtime.registry.is_gone(model))
        except UsageError:  # what cannot be asked has not said that it is gone
            return False

    def history(self, key: Key) -> Iterator[FormerSpec]:
        """What release.yaml said after each commit of main, newest first."""
        path = layout.release_path(key)
        for commit in git.file_history(self._repository, self.base, path):
            raw = git.read_tree(self._repository, commit.id, [path]).files.get(path)
            yield _read_former_spec(raw, commit, ours=_is_ours(self._repository, commit, key))

    def contains(self, revision: str, commit: str) -> bool | None:
        """Whether a revision has a commit in its history; None where one is not known here."""
        try:
            return git.is_ancestor(self._repository, commit, revision)
        except UsageError:
            return None

    def commit(self, revision: str) -> Commit | None:
        """A commit; None where it is not known here."""
        try:
            return git.commit_of(self._repository, revision)
        except UsageError:
            return None

    def promotions_at(self, head: str) -> Sequence[Commit]:
        """The reconciler's commits of promotions at a head, newest first."""
        return promotions_at(self._repository, head)

    def branches(self) -> Sequence[str]:
        """Every shared branch that is there, or that a pull request is of."""
        refs = git.list_refs(self._repository, f"{ref_of(BRANCHES)}/")
        there = (ref.removeprefix("refs/heads/") for ref in refs)
        return [branch for branch in dict.fromkeys((*self.pulls, *there)) if is_group(branch)]

    def releases_on(self, branch: str) -> Sequence[Key]:
        """The releases that a branch changes, whatever its pull request says."""
        head = git.resolve(self._repository, ref_of(branch))
        begun = git.merge_base(self._repository, head, self.base)
        paths = git.changed_paths(self._repository, begun, head) if begun else ()
        keys = (layout.release_of(path) for path in paths)
        return [key for key in keys if key]

    def is_ours(self, branch: str) -> bool:
        """Whether nobody but the reconciler has committed to a branch.

        The branch itself counts, not what the forge thinks of it, which may be a little old.
        """
        return is_reconcilers(self._repository, git.tip(self._repository, ref_of(branch)))

    def is_free(self, branch: str, pulls: Sequence[PullRequest]) -> bool:
        """Whether a branch may be moved: it is ours, or what others did to it was merged."""
        return may_move(self._repository, git.tip(self._repository, ref_of(branch)), pulls)

    def unlike(self, pull: PullRequest, commit: str) -> Sequence[str]:
        """The files that are not in a commit as a pull request has them; none if not known."""
        try:
            begun = git.merge_base(self._repository, pull.head, commit)
            if begun is None or begun == pull.head:
                return ()
            ours = set(git.changed_paths(self._repository, begun, pull.head))
            return sorted(ours & set(git.changed_paths(self._repository, pull.head, commit)))
        except UsageError:
            return ()

    def _once(self, question: object, ask: Callable[[], _Answer]) -> _Answer:
        if question not in self.answers:
            self.answers[question] = ask()
        return cast(_Answer, self.answers[question])


def _ask_baseline(registry: Registry, want: Want) -> Evaluation:
    """Of the deployed version; nothing measured when the registry does not have it."""
    if want.deployed:
        return registry.evaluation(want.deployed)
    current = want.release.spec.model.version
    return Evaluation(gaps=(f"the registry does not have version {current} as it is deployed",))


def _read_former_spec(raw: bytes | None, commit: Commit, *, ours: bool) -> FormerSpec:
    try:
        model = load("release.yaml", raw).data["spec"]["model"] if raw is not None else {}
        quarantine = tuple(str(version) for version in model.get("quarantine", ()))
        return FormerSpec(commit.id, str(model.get("version", "")), quarantine, ours)
    except (FindingsError, KeyError, TypeError, AttributeError):
        return FormerSpec(commit.id, "", (), ours)


def _is_ours(repository: git.Repository, commit: Commit, key: Key) -> bool:
    """By its trailers, those of the branch that it merged, or the evidence that it brings.

    The last is for a merge that wrote its message anew.
    """
    merged = [git.commit_of(repository, parent) for parent in commit.parents[1:]]
    for each in (commit, *merged):
        if any(name in each.trailers for name in _TRAILERS):
            return True
    if not commit.parents:
        return False
    folder = f"{layout.ENVIRONMENTS}/{key}/evidence"
    before = git.list_tree(repository, commit.parents[0], [folder])
    return bool(git.list_tree(repository, commit.id, [folder]).keys() - before.keys())
