"""What a forge knows of one repository: pull requests and all around them, over real Git."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice import git
from sluice.core.forge import State as PullState
from support.git_fixtures import AUTHOR

ROBOT = "robot"


class Problem(Exception):  # noqa: N818 - it is what a dialect puts into words
    """What a forge refuses: `kind` is one of those below."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, text


@dataclass
class Pull:
    """A pull request; `head` is where it stood when it was last looked at."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    author: str = ROBOT
    state: PullState = "open"
    merged_as: str = ""
    labels: set[str] = field(default_factory=set)
    reviewers: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)  # by person: changes, approved
    events: list[tuple[str, int]] = field(default_factory=list)  # closed, deleted, and when
    delegations: list[tuple[str, str, int]] = field(
        default_factory=list
    )  # asked, withdrawn or reopened, by whom and when
    draft: bool = False  # where a title does not say it
    automatic: str = ""  # the style by which it merges later
    message: str = ""  # what that is to say
    forked: bool = False
    conflicts: bool = False
    updated: int = 0


@dataclass
class Note:
    """A comment."""

    id: int
    number: int
    author: str
    text: str


class ForgeState:
    """One repository. What is changed in it is changed under its lock."""

    def __init__(self, bare: Path) -> None:
        self.bare, self.lock = bare, threading.RLock()
        self.pulls: dict[int, Pull] = {}
        self.notes: list[Note] = []
        self._noted = 0
        self.labels: dict[str, int] = {}
        self.statuses: list[dict[str, str]] = []
        self.users = {ROBOT: 1, "alice": 2, "bob": 3}
        self.teams = {"ml"}
        self.methods = {"merge", "squash", "rebase"}
        self.preferred = "merge"
        self.squashes, self.project_merges = "default_off", "merge"  # as GitLab has it
        self.rules: list[dict[str, Any]] = []  # of the branches, as GitHub gives them
        self.archived, self.moved, self.may_push = False, "", True
        self.lacking: dict[
            str, str
        ] = {}  # scopes that the token lacks, by the calls that take them
        self.scopes = ""  # as GitHub tells those of a classic token
        self.blocked = ""  # why nothing may be merged now
        self.required = ""  # the status without whose success nothing may be merged
        self.waiting = False  # checks that have not ended: auto-merge waits for them
        self.detects = True  # merges by hand are noticed
        self.takes_word = False  # a merge by hand can be told of
        self.drafts_by_title = False
        self.stale_finds = 0  # so many lists do not show what was opened last
        self.stale_heads = 0  # so many looks show the head before the last push
        self.blind = 0  # so many creations do not see that there is one already
        self.unready = 0  # so many creations or merges come too early
        self._time = 1_800_000_000

    @contextmanager
    def repository(self) -> Iterator[git.Repository]:
        yield git.open_repository(self.bare)

    def tip(self, branch: str) -> str | None:
        with self.repository() as repository:
            return git.tip(repository, f"refs/heads/{branch}")

    def now(self) -> int:
        self._time += 1
        return self._time

    def find(self, matching: Callable[[Pull], bool]) -> list[Pull]:
        """Newest change first, as the forge shows them."""
        for pull in self.pulls.values():
            self._look(pull)
        shown = sorted(self.pulls.values(), key=lambda p: -p.updated)
        if self.stale_finds and self.pulls:
            self.stale_finds -= 1
            shown = [p for p in shown if p.number != max(self.pulls)]
        return [p for p in shown if matching(p)]

    def get(self, number: int) -> Pull:
        if number not in self.pulls:
            raise Problem("none")
        pull = self.pulls[number]
        if self.stale_heads:
            self.stale_heads -= 1
        else:
            self._look(pull)
        return pull

    def open(self, branch: str, base: str, title: str, body: str, author: str = ROBOT) -> Pull:
        if self.unready:
            self.unready -= 1
            raise Problem("early")
        head, onto = self.tip(branch), self.tip(base)
        if head is None or onto is None:
            raise Problem("no-branch", branch if head is None else base)
        for pull in self.pulls.values():
            self._look(pull)
            if self.blind:
                continue
            if (pull.branch, pull.base, pull.state) == (branch, base, "open") and not pull.forked:
                raise Problem("duplicate", str(pull.number))
        self.blind = max(0, self.blind - 1)
        number = len(self.pulls) + 1
        self.pulls[number] = Pull(
            number, branch, base, title, body, head, author, updated=self.now()
        )
        return self.pulls[number]

    def changes_nothing(self, branch: str, base: str) -> bool:
        head, onto = self.tip(branch), self.tip(base)
        if head is None or onto is None:
            raise Problem("no-branch")
        with self.repository() as repository:
            return git.is_ancestor(repository, head, onto)

    def edit(self, pull: Pull, **fields: object) -> Pull:
        if self.tip(str(fields.get("base", pull.base))) is None:
            raise Problem("no-branch")
        for name, value in fields.items():
            if value is not None:
                setattr(pull, name, value)
        pull.updated = self.now()
        return pull

    def close(self, pull: Pull) -> Pull:
        self._look(pull)
        if pull.state == "merged":
            raise Problem("merged")
        pull.events.append(("closed", self.now()))
        return self.edit(pull, state="closed")

    def is_draft(self, pull: Pull) -> bool:
        said = pull.title.lower().startswith(("wip:", "[wip]", "draft:"))
        return said if self.drafts_by_title else pull.draft

    def wait(self, seconds: int) -> None:
        """Let time pass between two acts of a person."""
        self._time += seconds

    def merge(
        self, pull: Pull, sha: str, method: str = "merge", message: str = "", *, drop: bool = False
    ) -> Pull:
        """Merge as the button does, with a real commit; without a message it says what it likes."""
        self._look(pull)
        if pull.state != "open":
            raise Problem("closed")
        if self.unready:
            self.unready -= 1
            raise Problem("checking")
        if self.is_draft(pull):
            raise Problem("blocked", "it is a draft")
        if self.waiting and sha:
            raise Problem("blocked", "required checks have not ended")
        if self.required and sha and not self._passed(pull.head, self.required):
            raise Problem("blocked", f"the required status {self.required} is missing")
        if self.blocked or method not in self.methods:
            raise Problem("blocked", self.blocked or f"{method} is not allowed")
        if sha and sha != pull.head:
            raise Problem("moved")
        pull.merged_as = self._merged(pull, method, message)
        self.edit(pull, state="merged")
        if drop:
            self.drop(pull.branch)
        return pull

    def merge_later(self, pull: Pull, sha: str, method: str = "merge", message: str = "") -> None:
        """Merge once the checks have ended; `finish` ends them."""
        self._look(pull)
        if sha != pull.head:
            raise Problem("moved")
        pull.automatic, pull.message = method, message
        pull.delegations.append(("asked", ROBOT, self.now()))

    def merge_never(self, pull: Pull, who: str = ROBOT) -> bool:
        """Take a later merge back; whether there was one."""
        before, pull.automatic = pull.automatic, ""
        if before:
            pull.delegations.append(("withdrawn", who, self.now()))
        return bool(before)

    def finish(self) -> None:
        """Let the checks end, which is an event: what was left to the forge is looked at again.

        A merge by a style that is not allowed is dropped without a word.
        """
        self.waiting = False
        for pull in self.pulls.values():
            self._look(pull)
            waits = pull.automatic in self.methods and pull.state == "open"
            if waits and not self.is_draft(pull):
                self.merge(pull, "", pull.automatic, pull.message)

    def has(self, commit: str) -> bool:
        with self.repository() as repository:
            return commit in repository

    def commits_of(self, pull: Pull) -> list[tuple[str, str]]:
        """The commits of a pull request and what they say, oldest first."""
        with self.repository() as repository:
            base = git.tip(repository, f"refs/heads/{pull.base}")
            begun = git.merge_base(repository, pull.head, base) if base else None
            found, at = [], pull.head
            while at != begun:
                commit = git.commit_of(repository, at)
                found.append((at, commit.message))
                if not commit.parents:
                    break
                at = commit.parents[0]
        return found[::-1]

    def drop(self, branch: str) -> None:
        with self.repository() as repository:
            tip = git.tip(repository, f"refs/heads/{branch}")
            if tip is None:
                raise Problem("no-branch")
            git.update_ref(repository, f"refs/heads/{branch}", None, tip)
        for pull in self.pulls.values():
            if pull.branch == branch and pull.state != "open":
                pull.events.append(("deleted", self.now()))

    def note(self, number: int, text: str, author: str = ROBOT) -> Note:
        self._noted += 1
        self.notes.append(Note(self._noted, number, author, text))
        return self.notes[-1]

    def unnote(self, comment: int) -> None:
        if all(note.id != comment for note in self.notes):
            raise Problem("none")
        self.notes = [note for note in self.notes if note.id != comment]

    def label(self, name: str) -> int:
        for known, number in self.labels.items():
            if known.lower() == name.lower():
                return number
        self.labels[name] = len(self.labels) + 100
        return self.labels[name]

    def _passed(self, commit: str, context: str) -> bool:
        said = [s for s in self.statuses if s["commit"] == commit]
        named = [s["state"] for s in said if context in (s.get("context"), s.get("name"))]
        return named[-1:] == ["success"]

    def _merged(self, pull: Pull, method: str, message: str) -> str:
        with self.repository() as repository:
            store = git.Store(repository)
            base = git.resolve(repository, pull.base)
            tree, conflicts = store.merge(base, pull.head)
            if conflicts:
                pull.conflicts = True
                raise Problem("conflict")
            if method == "fast-forward-only":
                if not git.is_ancestor(repository, base, pull.head):
                    raise Problem("conflict")
                made = pull.head
            elif method == "rebase":
                made = base
                for _, said in self.commits_of(pull)[:-1]:
                    made = store.commit(tree, [made], said, AUTHOR, self.now())
                last = self.commits_of(pull)[-1][1]
                made = store.commit(tree, [made], last, AUTHOR, self.now())
            else:
                parents = [base] if method == "squash" else [base, pull.head]
                title = pull.title if method == "squash" else "Merge pull request"
                said = message or f"{title} (#{pull.number})\n"
                made = store.commit(tree, parents, said, AUTHOR, self.now())
            assert store.move(f"refs/heads/{pull.base}", made, base)
            return made

    def _look(self, pull: Pull) -> None:
        """See what became of the branches of an open pull request."""
        if pull.state != "open" or pull.forked:
            return
        with self.repository() as repository:
            head = git.tip(repository, f"refs/heads/{pull.branch}")
            base = git.tip(repository, f"refs/heads/{pull.base}")
            if base and self.detects and git.is_ancestor(repository, head or pull.head, base):
                self.edit(pull, state="merged", merged_as=base)
            elif head is None:
                # The branch closes it as it goes.
                at = self.now()
                pull.events += [("closed", at), ("deleted", at)]
                self.edit(pull, state="closed")
            elif head != pull.head:
                self.edit(pull, head=head)
