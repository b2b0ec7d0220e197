"""By which commit a branch got another commit, or what it says: what was merged, whoever did it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pygit2

from sluice.core.finding import UsageError
from sluice.git.history import find_first_parent, find_id
from sluice.git.repository import Repository, find_commit
from sluice.git.trees import changed_paths

# Commits of a branch that are searched for the content of another one.
LOOKBACK = 1000


class Merged:
    """What the branches of one repository contain; what was walked once is remembered."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._lines: dict[str, _Line] = {}
        self._touched: dict[pygit2.Oid, frozenset[str]] = {}

    def merged_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got a commit; None when it does not contain it."""
        line = self._follow(base)
        if line is None:
            return None
        return line.find_bringer(head)

    def squashed_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got the same content, however it came there.

        That is a commit since the two have parted after which every file that `head` changed was
        as it is in `head`. None when there is none, or when `head` changes nothing.
        """
        line = self._follow(base)
        if line is None:
            return None
        search = line.searches.get(head)
        if search is None:
            search = line.searches[head] = _Search(self._find_fork(line, head))
        if not search.match:
            search.match = self._search(line, head, search)
        search.searched = line.tip if search.searched else None
        return search.match or None

    def _follow(self, base: str) -> "_Line | None":
        try:
            tip = find_commit(self._repo, f"refs/heads/{base}").id
        except UsageError:
            return None
        line = self._lines.get(base)
        if line is None or not _is_extended(self._repo, line.tip, tip):
            line = self._lines[base] = _Line(tip)
        line.extend(self._repo, tip)
        return line

    def _find_fork(self, line: "_Line", head: str) -> pygit2.Oid | None:
        """Find where a head has parted from a branch; None where that is not known."""
        try:
            commit: pygit2.Commit | None = find_commit(self._repo, head)
            # Most heads are a few commits on top of the branch, so that the walk ends soon.
            while commit is not None and len(commit.parent_ids) == 1:
                commit = find_first_parent(self._repo, commit)
                if commit and commit.id in line.main_line:
                    return commit.id
            return self._repo.merge_base(find_commit(self._repo, head).id, line.tip)
        except (UsageError, pygit2.GitError, KeyError):
            return None

    def _search(self, line: "_Line", head: str, search: "_Search") -> str:
        for commit in self._walk_unsearched(line, search):
            contents = search.contents or self._collect_changes(head, search)
            if self._list_touched(commit) & contents.keys() and _has_contents(commit, contents):
                return str(commit.id)
        return ""

    def _collect_changes(self, head: str, search: "_Search") -> Mapping[str, pygit2.Oid | None]:
        """Collect what a head made of the files that it changed."""
        ours = find_commit(self._repo, head)
        paths = changed_paths(self._repo, str(search.fork), head)
        search.contents = {path: find_id(ours, path) for path in paths}
        return search.contents

    def _walk_unsearched(self, line: "_Line", search: "_Search") -> Iterator[pygit2.Commit]:
        """Yield the first-parent commits that were not searched yet, newest first."""
        commit: pygit2.Commit | None = find_commit(self._repo, str(line.tip))
        fork = search.searched
        if fork is None:
            return
        for _ in range(LOOKBACK):
            if commit is None or commit.id == fork:
                return
            if fork not in line.main_line and self._repo.descendant_of(fork, commit.id):
                return
            yield commit
            commit = find_first_parent(self._repo, commit)

    def _list_touched(self, commit: pygit2.Commit) -> frozenset[str]:
        """List the files that a commit changed on its branch."""
        if commit.id not in self._touched:
            parent = find_first_parent(self._repo, commit)
            paths: list[str] = []
            if parent:
                paths = changed_paths(self._repo, str(parent.id), str(commit.id))
            self._touched[commit.id] = frozenset(paths)
        return self._touched[commit.id]


@dataclass
class _Search:
    """Where a head has parted from a branch, the files that it changed, and where they are.

    `until` is how far the branch was searched for them.
    """

    fork: pygit2.Oid | None
    searched: pygit2.Oid | None = field(init=False)
    contents: Mapping[str, pygit2.Oid | None] = field(default_factory=dict)
    match: str = ""

    def __post_init__(self) -> None:
        self.searched = self.fork


class _Line:
    """All commits that a branch contains: `own` are those along its first parents."""

    def __init__(self, tip: pygit2.Oid) -> None:
        self.tip = tip
        self.main_line: set[pygit2.Oid] = set()
        self.searches: dict[str, _Search] = {}
        self._contained: set[pygit2.Oid] = set()
        self._merges: dict[pygit2.Oid, str] = {}

    def find_bringer(self, head: str) -> str | None:
        """Find the commit that brought another one; itself where no merge of ours is known."""
        try:
            commit = pygit2.Oid(hex=head)
        except ValueError:
            return None
        if commit not in self._contained:
            return None
        return self._merges.get(commit, head)

    def extend(self, repo: Repository, tip: pygit2.Oid) -> None:
        """Walk what is new up to a tip."""
        self.tip = tip
        newest = None if tip in self.main_line else find_commit(repo, str(tip))
        while newest is not None and newest.id not in self.main_line:
            self.main_line.add(newest.id)
            self._merges |= dict.fromkeys(newest.parent_ids[1:], str(newest.id))
            newest = find_first_parent(repo, newest)
        waiting = [tip]
        while waiting:
            ancestor = waiting.pop()
            if ancestor in self._contained:
                continue
            self._contained.add(ancestor)
            commit = repo.get(ancestor)  # none at the edge of a shallow clone
            if isinstance(commit, pygit2.Commit):
                waiting += commit.parent_ids


def _is_extended(repo: Repository, before: pygit2.Oid, tip: pygit2.Oid) -> bool:
    """Whether a branch was only added to."""
    with suppress(pygit2.GitError, KeyError):
        return before == tip or repo.descendant_of(tip, before)
    return False


def _has_contents(commit: pygit2.Commit, contents: Mapping[str, pygit2.Oid | None]) -> bool:
    return all(find_id(commit, path) == content for path, content in contents.items())
