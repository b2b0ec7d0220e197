"""The pen: every call by which Sluice changes something outside is made here, and decides nothing.

What is to be written is decided elsewhere, from what was read. A dry run has no pen: who would
write in one has a defect, and nothing is changed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sluice import git
from sluice.core.cluster import Cluster
from sluice.core.forge import Forge, PullRequest, Status
from sluice.core.model import ModelVersion, Signature
from sluice.registries.marking import Markable

Files = Mapping[str, bytes | None]
Move = tuple[str | None, str | None]
"""Where a branch is expected to be, and where it goes."""


class DryRunError(RuntimeError):
    """Something was to be written in a dry run."""


@dataclass(frozen=True)
class Pen:
    """Writes to the repository and to the forge of it.

    Args:
        repository: where commits are made.
        swap: compares and swaps one branch: ref, new commit, expected commit.
        swap_each: the same of several branches in one conversation; returns those that moved.
        forge: where pull requests live.
        clock: seconds since the epoch.
        author: who commits.
        is_dry: whether nothing may be written.
    """

    repository: git.Repository
    swap: Callable[[str, str | None, str | None], None]
    swap_each: Callable[[Mapping[str, Move]], Collection[str]]
    forge: Forge
    clock: Callable[[], int]
    author: Signature
    is_dry: bool = False

    def tree(self, base: str, files: Files) -> str:
        """Write the tree of a commit with other files, which no commit has yet."""
        self._check()
        return git.write_tree(self.repository, base, files)

    def commit(self, base: str, parts: Sequence[tuple[Files, str]]) -> str:
        """Make commits on top of one, which no branch has yet: files and message of each."""
        self._check()
        commit = base
        for files, message in parts:
            tree = git.write_tree(self.repository, commit, files)
            commit = git.commit(
                self.repository, tree, [commit], message, self.author, time=self.clock()
            )
        return commit

    def move(self, ref: str, new: str | None, expected: str | None) -> None:
        """Move a branch, or delete it where `new` is None.

        Raises:
            RefMovedError: it is not where it was expected to be.
            PushRefusedError: the server does not let us.
        """
        self._check()
        self.swap(ref, new, expected)

    def move_each(self, moves: Mapping[str, Move]) -> Collection[str]:
        """Move several branches at once; return those that moved."""
        self._check()
        return self.swap_each(moves)

    def open_pull(  # the words of one pull request
        self, branch: str, base: str, title: str, body: str, labels: Sequence[str], head: str
    ) -> PullRequest:
        """Open a pull request, or bring the open one of this branch to these words."""
        self._check()
        return self.forge.ensure(
            branch=branch, base=base, title=title, body=body, labels=labels, head=head
        )

    def reword(self, pull: PullRequest, title: str, body: str) -> None:
        """Change what a pull request says, while it has the head that was seen."""
        self._check()
        self.forge.reword(pull.number, title, body, pull.head)

    def merge(self, number: int, head: str) -> PullRequest:
        """Merge now, if the head is still this one."""
        self._check()
        return self.forge.merge(number, head)

    def merge_when_ready(self, number: int, head: str) -> PullRequest:
        """Let the forge merge once its own conditions are met."""
        self._check()
        return self.forge.merge_when_ready(number, head)

    def cancel_merge(self, number: int) -> None:
        """Take back what was left to the forge."""
        self._check()
        self.forge.cancel_merge(number)

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off."""
        self._check()
        self.forge.unlabel(number, label)

    def close_pull(self, number: int, reason: str, body: str | None, head: str) -> PullRequest:
        """Close without merging, while it is at `head` if that is given."""
        self._check()
        return self.forge.close(number, reason, body, head)

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Tell the forge of a merge that it has not noticed."""
        self._check()
        self.forge.settle(number, commit, reason, body)

    def request_reviews(
        self, number: int, users: Collection[str], teams: Collection[str]
    ) -> Sequence[str]:
        """Ask people for a review; return those that the forge does not accept."""
        self._check()
        return self.forge.request_reviews(number, users, teams)

    def comment(self, number: int, key: str, text: str, head: str) -> None:
        """Keep one comment of this key at this text."""
        self._check()
        self.forge.upsert_comment(number, key, text, head)

    def set_status(self, commit: str, status: Status, *, unsaid: bool = False) -> None:
        """Say what we think of a commit."""
        self._check()
        self.forge.set_status(commit, status, unsaid=unsaid)

    def _check(self) -> None:
        if self.is_dry:
            raise DryRunError("a dry run writes nothing")


def pen_of(
    upstream: git.Upstream,
    forge: Forge,
    clock: Callable[[], int],
    author: Signature,
    *,
    is_dry: bool = False,
) -> Pen:
    """The pen for a repository and its forge; see Pen."""
    move, move_each = upstream.move, upstream.move_each
    return Pen(upstream.repository, move, move_each, forge, clock, author, is_dry)


def refresh_application(cluster: Cluster, namespace: str, name: str) -> None:
    """Ask Argo CD to compare an application with Git now."""
    cluster.refresh(namespace, name)


def end_sync(cluster: Cluster, namespace: str, name: str, revision: str) -> None:
    """End the sync of an application that is under way at a revision."""
    cluster.end(namespace, name, revision)


def tag_version(marker: Markable, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """Write tags on a version in the registry."""
    marker.mark(version, tags)
