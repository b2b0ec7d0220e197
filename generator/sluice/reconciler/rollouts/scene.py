"""The rollouts of a repository as Git has them: specs, history, and the world to act in."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sluice import git
from sluice.core import layout
from sluice.core.documents.limits import SPEC
from sluice.core.finding import UsageError
from sluice.core.forge import Forge, PullRequest
from sluice.core.layout import Key
from sluice.core.model import Signature
from sluice.core.observation.state_history import History, Lost, Revision, history_of, lost
from sluice.core.specs.resolve import Release
from sluice.core.unforeseen import UnforeseenError, apart
from sluice.reconciler.pen import Move, Pen
from sluice.reconciler.runtime import find_main
from sluice.workspace.identity import AUTHOR
from sluice.workspace.workspace import Workspace

LOOKBACK = 200
"""Commits in which a deleted rollout.yaml is looked for."""
_SHARED = (layout.CATALOG, layout.POLICIES)


@dataclass(frozen=True)
class Scene:
    """Where a rollout is moved: the repository, how to swap a ref of it, the forge, the clock.

    `actor` is the person who asks for it, empty for the reconciler. `look` brings what is mirrored
    of a remote up to date; `pulls` lists the pull requests, where it need not be asked each time.
    `shown` is what was shown on which pull request, only to save work.
    """

    repository: git.Repository
    move: Callable[[str, str | None, str | None], None]
    forge: Forge
    clock: Callable[[], int]
    dry_run: bool = False
    author: Signature = AUTHOR
    actor: str = ""
    look: Callable[[], object] = bool
    shown: dict[object, object] = field(default_factory=dict)
    pulls: Callable[[], Sequence[PullRequest]] | None = None

    @property
    def pen(self) -> Pen:
        """What everything outside is written with."""
        return Pen(
            repository=self.repository,
            swap=self.move,
            swap_each=self._move_each,
            forge=self.forge,
            clock=self.clock,
            author=self.author,
            is_dry=self.dry_run,
        )

    def _move_each(self, moves: Mapping[str, Move]) -> Collection[str]:
        """Rollouts move one branch at a time."""
        for ref, (expected, new) in moves.items():
            self.move(ref, new, expected)
        return moves.keys()


@dataclass(frozen=True)
class Base:
    """The head of the base branch: the releases that roll out, or lately did.

    `instead` are files that are read in place of those of the commit. `failed` are those of which
    nobody can tell whether they roll out, so far as that was asked.
    """

    repository: git.Repository
    commit: str
    instead: Mapping[str, bytes] = field(default_factory=dict)
    failed: dict[Key, UnforeseenError] = field(default_factory=dict)

    @cached_property
    def revisions(self) -> dict[Key, list[Revision]]:
        """What became of each rollout.yaml, newest first."""
        changes = git.collect_file_changes(
            self.repository, self.commit, layout.ENVIRONMENTS, "rollout.yaml", LOOKBACK
        )
        found = {}
        for path, listed in changes.items():
            key = layout.release_of(path)
            if key is not None:
                found[key] = [self._revision(change) for change in listed]
        return found

    def _revision(self, change: git.FileChange) -> Revision:
        """A commit is ours by its trailers, or by those of the branch that it merged."""
        commit = change.commit
        merged = [git.commit_of(self.repository, parent) for parent in commit.parents[1:]]
        ours = any(
            "Rollout-State" in c.trailers or "Follows" in c.trailers for c in (commit, *merged)
        )
        return Revision(commit.id, commit.time, change.before, change.after, ours)

    @cached_property
    def workspace(self) -> Workspace:
        """The specs of these releases and of their environments, and nothing else."""
        wanted = [*_SHARED]
        for key in self.revisions:
            wanted += [layout.release_path(key), layout.rollout_path(key)]
        wanted += [
            layout.environment_path(name) for name in {k.environment for k in self.revisions}
        ]
        found = git.read_tree(self.repository, self.commit, wanted, SPEC.size)
        large = dict.fromkeys(found.oversized, b"#" * (SPEC.size + 1))
        return Workspace({**found.files, **large, **self.instead})

    @cached_property
    def _ancestry(self) -> dict[tuple[str, str], bool]:
        return {}

    def contains(self, revision: str, ancestor: str) -> bool:
        """Whether a revision has a commit in its history; one that nobody knows has not."""
        asked = (revision, ancestor)
        if asked not in self._ancestry:
            try:
                self._ancestry[asked] = git.is_ancestor(self.repository, ancestor, revision)
            except UsageError:
                self._ancestry[asked] = False
        return self._ancestry[asked]

    def under_way(self) -> Iterator[tuple[Release, History]]:
        """Each release with a rollout.yaml, and its history."""
        for key, release in sorted(self.workspace.specs.releases.items()):
            try:
                with apart("the history of a rollout"):
                    history = history_of(self.revisions[key])
            except UnforeseenError as error:
                self.failed[key] = error
                continue
            if release.rollout is not None and history is not None:
                yield release, history

    def lost(self) -> Iterator[tuple[Release, Lost, History]]:
        """Each release whose rollout.yaml was deleted in mid-rollout."""
        for key, release in sorted(self.workspace.specs.releases.items()):
            try:
                with apart("the history of a rollout"):
                    gone = lost(release, self.revisions[key])
            except UnforeseenError as error:
                self.failed[key] = error
                continue
            if gone is not None:
                newest = self.revisions[key][0]
                yield release, gone, History(newest.commit, newest.time, newest.time)

    def unreadable(self) -> Mapping[Key, tuple[str, ...]]:
        """Releases whose rollout.yaml, or what it belongs to, cannot be read, and why."""
        specs = self.workspace.specs
        broken = [
            key
            for key in sorted(self.revisions)
            if key not in specs.releases and layout.rollout_path(key) in self.workspace.files
        ]
        return {
            key: tuple(
                f"{f.place}: {f.message}"
                for f in specs.findings
                if f.place.file.startswith(f"{layout.ENVIRONMENTS}/{key.environment}/")
            )
            for key in broken
        }

    def manifests(self, key: Key) -> dict[str, bytes]:
        """The committed manifests of one release."""
        paths = layout.rendered_paths(key)
        return dict(git.read_tree(self.repository, self.commit, paths).files)

    def evidence(self, key: Key) -> dict[str, bytes]:
        """The committed evidence of one release, by the name of its file."""
        folder = f"{layout.ENVIRONMENTS}/{key}/evidence"
        found = git.read_tree(self.repository, self.commit, [folder]).files
        return {path.rpartition("/")[2]: raw for path, raw in found.items()}


def read_base(repository: git.Repository) -> Base:
    """The head of the base branch now."""
    return Base(repository, find_main(repository))


def by_person(scene: Scene, person: Signature) -> Scene:
    """The same place, where a person asks."""
    return replace(scene, author=person, actor=f"{person.name} <{person.email}>")
