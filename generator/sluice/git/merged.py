"""By which commit a branch got another commit, or what it says: what was merged, whoever did it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pygit2

from sluice.core.finding import UsageError
from sluice.git.history import first_parent, id_at
from sluice.git.repository import Repository, commit_object
from sluice.git.trees import changed_paths

# So many commits back it is looked for that a branch got the content of another one.
LOOKBACK = 1000


class Merged:
    """What the branches of one repository contain; what was walked once is remembered."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._lines: dict[str, _Line] = {}
        self._touched: dict[pygit2.Oid, frozenset[str]] = {}

    def merged_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got a commit; None when it does not contain it."""
        line = self._line(base)
        return line.brought(head) if line else None

    def squashed_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got the same content, however it came there.

        That is a commit since the two have parted after which every file that `head` changed was
        as it is in `head`. None when there is none, or when `head` changes nothing.
        """
        line = self._line(base)
        if line is None:
            return None
        search = line.searches.get(head)
        if search is None:
            search = line.searches[head] = _Search(self._begun(line, head))
        if not search.found:
            search.found = self._search(line, head, search)
        search.until = line.tip if search.until else None
        return search.found or None

    def _line(self, base: str) -> "_Line | None":
        try:
            tip = commit_object(self._repo, f"refs/heads/{base}").id
        except UsageError:
            return None
        line = self._lines.get(base)
        if line is None or not _goes_on(self._repo, line.tip, tip):
            line = self._lines[base] = _Line(tip)
        line.extend(self._repo, tip)
        return line

    def _begun(self, line: "_Line", head: str) -> pygit2.Oid | None:
        """Where a head has parted from a branch; None where that is not known."""
        try:
            found: pygit2.Commit | None = commit_object(self._repo, head)
            while found is not None and len(found.parent_ids) == 1:
                found = first_parent(self._repo, found)
                if found and found.id in line.own:
                    return found.id
            return self._repo.merge_base(commit_object(self._repo, head).id, line.tip)
        except (UsageError, pygit2.GitError, KeyError):
            return None

    def _search(self, line: "_Line", head: str, search: "_Search") -> str:
        for found in self._since(line, search):
            wanted = search.wanted or self._wanted(head, search)
            if self._changed(found) & wanted.keys() and _has(found, wanted):
                return str(found.id)
        return ""

    def _wanted(self, head: str, search: "_Search") -> Mapping[str, pygit2.Oid | None]:
        """What a head made of the files that it changed."""
        ours = commit_object(self._repo, head)
        paths = changed_paths(self._repo, str(search.begun), head)
        search.wanted = {path: id_at(ours, path) for path in paths}
        return search.wanted

    def _since(self, line: "_Line", search: "_Search") -> Iterator[pygit2.Commit]:
        """The first-parent commits that were not searched yet, newest first."""
        found: pygit2.Commit | None = commit_object(self._repo, str(line.tip))
        begun = search.until
        if begun is None:
            return
        for _ in range(LOOKBACK):
            if found is None or found.id == begun:
                return
            if begun not in line.own and self._repo.descendant_of(begun, found.id):
                return
            yield found
            found = first_parent(self._repo, found)

    def _changed(self, found: pygit2.Commit) -> frozenset[str]:
        """The files that a commit changed on its branch."""
        if found.id not in self._touched:
            parent = first_parent(self._repo, found)
            paths = changed_paths(self._repo, str(parent.id), str(found.id)) if parent else ()
            self._touched[found.id] = frozenset(paths)
        return self._touched[found.id]


@dataclass
class _Search:
    """Where a head has parted from a branch, the files that it changed, and where they are.

    `until` is how far the branch was searched for them.
    """

    begun: pygit2.Oid | None
    until: pygit2.Oid | None = field(init=False)
    wanted: Mapping[str, pygit2.Oid | None] = field(default_factory=dict)
    found: str = ""

    def __post_init__(self) -> None:
        self.until = self.begun


class _Line:
    """All commits that a branch contains: `own` are those along its first parents."""

    def __init__(self, tip: pygit2.Oid) -> None:
        self.tip = tip
        self.own: set[pygit2.Oid] = set()
        self.searches: dict[str, _Search] = {}
        self._held: set[pygit2.Oid] = set()
        self._merges: dict[pygit2.Oid, str] = {}

    def brought(self, head: str) -> str | None:
        """The commit that brought another one; that itself where no merge of ours is known."""
        try:
            wanted = pygit2.Oid(hex=head)
        except ValueError:
            return None
        return self._merges.get(wanted, head) if wanted in self._held else None

    def extend(self, repo: Repository, tip: pygit2.Oid) -> None:
        """Walk what is new up to a tip."""
        self.tip = tip
        found = None if tip in self.own else commit_object(repo, str(tip))
        while found is not None and found.id not in self.own:
            self.own.add(found.id)
            self._merges |= dict.fromkeys(found.parent_ids[1:], str(found.id))
            found = first_parent(repo, found)
        waiting = [tip]
        while waiting:
            each = waiting.pop()
            if each not in self._held:
                self._held.add(each)
                commit = repo.get(each)  # none at the edge of a shallow clone
                waiting += commit.parent_ids if isinstance(commit, pygit2.Commit) else ()


def _goes_on(repo: Repository, before: pygit2.Oid, tip: pygit2.Oid) -> bool:
    """Whether a branch was only added to."""
    with suppress(pygit2.GitError, KeyError):
        return before == tip or repo.descendant_of(tip, before)
    return False


def _has(found: pygit2.Commit, wanted: Mapping[str, pygit2.Oid | None]) -> bool:
    return all(id_at(found, path) == content for path, content in wanted.items())
