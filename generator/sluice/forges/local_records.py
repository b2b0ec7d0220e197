"""How the embedded forge stores its pull requests: one ref, one JSON file a pull request.

Every change is one commit on refs/sluice/pulls by compare-and-swap, so changes happen one after
the other whoever makes them, and `git log --first-parent refs/sluice/pulls` is their history.
The tree holds `next`, the next number, and open/, merged/ and closed/ with `<n div 1000>/<n>.json`.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from sluice.core.bounded import json_of
from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest, State
from sluice.core.model import Signature

PULLS = "refs/sluice/pulls"
_STATES: tuple[State, ...] = ("open", "merged", "closed")
_ATTEMPTS = 400
_LONGEST_PAUSE = 0.05
_SUBJECT = 100


class GitStore(Protocol):
    """The objects and refs of one repository. Commits, blobs and trees go by their ids."""

    def tip(self, ref: str) -> str | None:
        """Return the commit that a full ref name points to, None when it does not exist."""

    def move(self, ref: str, new: str | None, expected: str | None) -> bool:
        """Compare and swap a ref (None: absent); False when it was not `expected`."""

    def entries(self, commit: str, prefix: str = "") -> Mapping[str, str]:
        """Return path → blob id under a directory, or of one file."""

    def read(self, blob: str) -> bytes:
        """Return the content of a blob."""

    def write(self, base: str | None, changes: Mapping[str, bytes | None]) -> str:
        """Return the id of the tree of `base` with the changes; None deletes."""

    def commit(
        self, tree: str, parents: Sequence[str], message: str, author: Signature, time: int
    ) -> str:
        """Write a commit object, at a time in seconds since the epoch, and return its id."""

    def merge(self, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """Return the merged tree and no paths, or nothing and the paths in conflict."""

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is `commit` or in its history; an object that is gone is not."""

    def squashed_as(self, base: str, head: str) -> str | None:
        """Return the commit by which a branch got the content of a commit; None: it did not."""

    def line(self, commit: str) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield (id, parents) from a commit back along first parents."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of a pull request: `merging` is the commit of an announced merge."""

    pull: PullRequest
    reason: str = ""
    merging: str = ""


class Step(NamedTuple):
    """One change to the records: its result, what to write and say, and commits to hold on to.

    `keep` become parents of the commit on the ref, so that no collection removes them.
    """

    result: Record
    changes: Mapping[str, bytes | None] = {}
    message: str = ""
    keep: tuple[str, ...] = ()


class Records:
    """The stored pull requests of one repository."""

    def __init__(self, store: GitStore, clock: Callable[[], int], author: Signature) -> None:
        self._store, self._clock, self._author = store, clock, author
        self._parsed = lru_cache(maxsize=20_000)(self._read)  # a blob never changes

    def tip(self) -> str | None:
        """Return the state of all records as a commit, None when there are none yet."""
        return self._store.tip(PULLS)

    def list_all(self, tip: str | None, prefix: str = "") -> list[Record]:
        """Return the records in a folder, or all of them."""
        if tip is None:
            return []
        entries = self._store.entries(tip, prefix)
        return [self._parsed(blob) for path, blob in entries.items() if path != "next"]

    def get(self, tip: str | None, number: int) -> Record:
        """Return one record; UsageError when there is none."""
        for state in _STATES:
            for record in self.list_all(tip, _make_path(state, number)):
                return record
        raise UsageError(f"there is no pull request #{number}")

    def choose_number(self, tip: str | None) -> int:
        """Return the number of the next pull request.

        Raises:
            UsageError: what is stored is not a number.
        """
        entries = self._store.entries(tip, "next") if tip else {}
        if not entries:
            return 1
        try:
            return int(self._store.read(entries["next"]))
        except ValueError as error:
            raise UsageError(f"{PULLS}:next is not a number") from error

    def change(self, step: Callable[[str | None], Step]) -> Record:
        """Apply one change to the newest records; begin again whenever others were faster.

        A step without changes writes nothing.

        Raises:
            UsageError: others are faster again and again.
        """
        for _ in pace_attempts():
            tip = self.tip()
            result, changes, message, keep = step(tip)
            if not changes:
                return result
            parents = [tip, *keep] if tip else list(keep)
            tree = self._store.write(tip, changes)
            commit = self._store.commit(tree, parents, message, self._author, self._clock())
            if self._store.move(PULLS, commit, tip):
                return result
        raise UsageError(f"{PULLS} keeps moving; try again")

    def _read(self, blob: str) -> Record:
        try:
            fields = json_of(self._store.read(blob))
            reason, merging = fields.pop("reason"), fields.pop("merging")
            labels = tuple(fields.pop("labels"))
            return Record(PullRequest(**fields, labels=labels), reason, merging)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{PULLS} holds a record that cannot be read: blob {blob}") from error


def replace_record(old: Record | None, new: Record) -> dict[str, bytes | None]:
    """Return the changes that put one record in another's place, in another folder perhaps."""
    fields = asdict(new.pull) | {"reason": new.reason, "merging": new.merging}
    # ASCII only: lone surrogates, which no UTF-8 file can hold, survive as escapes.
    text = json.dumps(fields, sort_keys=True, indent=2)
    changes: dict[str, bytes | None] = {}
    if old:
        changes[_make_path(old.pull.state, old.pull.number)] = None
    changes[_make_path(new.pull.state, new.pull.number)] = f"{text}\n".encode()
    return changes


def _make_path(state: State, number: int) -> str:
    return f"{state}/{number // 1000}/{number}.json"


def shorten_subject(text: str) -> str:
    """Return a text fit for the subject of a commit: one line, printable, of bounded length."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    if len(line) > _SUBJECT:
        return f"{line[: _SUBJECT - 1]}…"
    return line


def pace_attempts() -> Iterator[None]:
    """Yield with growing random pauses in between, so that racing processes spread out."""
    pause = 0.001
    for _ in range(_ATTEMPTS):
        yield
        time.sleep(random.uniform(0, pause))  # noqa: S311 - spreads out processes, hides nothing
        pause = min(2 * pause, _LONGEST_PAUSE)
