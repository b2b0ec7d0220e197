"""The embedded forge: pull requests kept in the repository that they are about.

A merge announces its commit in the record before it moves the base branch. Killed in between,
whoever looks next sees whether the base holds that commit. A pull request whose head is in the
base without our doing counts as merged, and so does one whose content is there; one whose branch
is gone counts as closed. Looking never writes: what was seen is stored by the next act on it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sluice.core.finding import UsageError
from sluice.core.forge import PullRequest, State
from sluice.core.model import Signature
from sluice.forges.answers import HeadMovedError
from sluice.forges.bodies import join_part, replace_part
from sluice.forges.local_outcomes import GONE, Outcomes
from sluice.forges.local_records import (
    PULLS,
    GitStore,
    Record,
    Records,
    Step,
    pace_attempts,
    replace_record,
    shorten_subject,
)
from sluice.forges.plain import PlainForge

__all__ = ["PULLS", "GitStore", "LocalForge"]

_LARGEST = 1_000_000


class LocalForge(PlainForge):
    """Pull requests in a bare repository. The clock gives seconds since the epoch."""

    def __init__(self, store: GitStore, clock: Callable[[], int], author: Signature) -> None:
        self._store, self._clock, self._author = store, clock, author
        self._records = Records(store, clock, author)
        self._outcomes = Outcomes(store)

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        """All pull requests as they stand now, newest first, or those in one state."""
        pulls = []
        for record in self._records.list_all(self._records.tip()):
            pull = self._outcomes.look(record).pull
            if state in (None, pull.state):
                pulls.append(pull)
        return sorted(pulls, key=lambda pull: -pull.number)

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first."""
        return [pull for pull in self.list() if pull.branch == branch]

    def get(self, number: int) -> PullRequest:
        """One pull request as it stands now; UsageError when there is none."""
        return self._outcomes.look(self._records.get(self._records.tip(), number)).pull

    def reason(self, number: int) -> str:
        """Why a pull request was closed; nothing for one that was not."""
        return self._outcomes.look(self._records.get(self._records.tip(), number)).reason

    def lost_branch(self, number: int) -> bool:
        """Whether a pull request is closed since its branch was deleted: nobody said no."""
        return self.reason(number) == GONE

    def ensure(
        self,
        *,
        branch: str,
        base: str,
        title: str,
        body: str,
        labels: Iterable[str] = (),
        head: str = "",
    ) -> PullRequest:
        """Open a pull request, or bring the open one of this branch to these words.

        Nothing is written when it says all that already; what people wrote around our part stays.

        Raises:
            HeadMovedError: the branch is not at `head`, the commit that the words are about.
            UsageError: a branch is missing, or `branch` has nothing that `base` lacks.
        """
        words = PullRequest(0, branch, base, title, body, head, labels=tuple(sorted(set(labels))))
        return self._records.change(lambda tip: self._open_or_update(tip, words)).pull

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Change what a pull request says, in whatever state it is; an empty title stays.

        Raises:
            HeadMovedError: it is not at `head`.
        """

        def step(tip: str | None) -> Step:
            return self._reword(tip, number, title, body, head)

        return self._records.change(step).pull

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Close without merging; the branch stays. A merged or closed one is left as it is.

        Raises:
            HeadMovedError: it is not at `head`.
        """

        def step(tip: str | None) -> Step:
            return self._close(tip, number, reason, body, head)

        return self._records.change(step).pull

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Close what was merged by hand, and was not noticed."""
        del commit
        self.close(number, reason, body)

    def whoami(self) -> str:
        """Who acts."""
        return self._author.name

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge with a merge commit, if the head is still the expected one, and drop the branch.

        One that is merged or closed already is returned as it is.

        Raises:
            UsageError: the head moved, or the merge has conflicts.
        """
        for _ in pace_attempts():
            record = self._records.change(lambda tip: self._announce(tip, number, expected_head))
            if record.pull.state != "open":
                return self._settle_number(number)
            base = f"refs/heads/{record.pull.base}"
            before = self._outcomes.list_parents(record.merging)[0]
            if self._store.move(base, record.merging, before):
                return self._settle_number(number)
        raise UsageError(f"pull request #{number}: its base keeps moving; try again")

    def _open_or_update(self, tip: str | None, words: PullRequest) -> Step:
        settled: dict[str, bytes | None] = {}
        keep: tuple[str, ...] = ()
        for old in self._records.list_all(tip, "open"):
            if old.pull.branch != words.branch:
                continue
            now = self._outcomes.look(old)
            if now.pull.state == "open":
                return self._update(old, now, words)
            # It was closed or merged without our doing, and another one is opened now.
            step = self._store_outcome(old, now)
            settled |= step.changes
            keep += step.keep
        number = self._records.choose_number(tip)
        pull = replace(words, number=number, head=self._find_head(words), author=self._author.name)
        opened = Record(replace(pull, updated=self._clock()))
        changes = settled | replace_record(None, opened) | {"next": b"%d\n" % (number + 1)}
        return Step(opened, changes, f"Open #{number}: {shorten_subject(words.title)}", keep)

    def _update(self, old: Record, now: Record, words: PullRequest) -> Step:
        pull = replace(
            now.pull,
            base=words.base,
            title=words.title,
            body=join_part(now.pull.body, words.body, _LARGEST),
            labels=words.labels,
            head=self._find_head(words),
        )
        if pull == old.pull:
            return Step(old)
        new = replace(now, pull=replace(pull, updated=self._clock()))
        return Step(
            new, replace_record(old, new), f"Update #{pull.number}: {shorten_subject(pull.title)}"
        )

    def _find_head(self, words: PullRequest) -> str:
        """Return what the branch would bring to its base."""
        head = self._store.tip(f"refs/heads/{words.branch}")
        base = self._store.tip(f"refs/heads/{words.base}")
        if head is None or base is None:
            missing = words.branch if head is None else words.base
            raise UsageError(f"cannot open a pull request: there is no branch {missing!r}")
        if words.head not in ("", head):
            raise HeadMovedError(words.branch, words.head, head)
        if self._store.contains(base, head):
            raise UsageError(
                f"cannot open a pull request: {words.branch} has no commit that {words.base} lacks"
            )
        return head

    def _close(
        self, tip: str | None, number: int, reason: str, body: str | None, head: str
    ) -> Step:
        old = self._records.get(tip, number)
        now = self._outcomes.look(old)
        if now.pull.state != "open":
            return self._store_outcome(old, now)
        if head and now.pull.head != head:
            raise HeadMovedError(now.pull.branch, head, now.pull.head)
        text = now.pull.body if body is None else replace_part(now.pull.body, body, _LARGEST)
        pull = replace(now.pull, state="closed", body=text, updated=self._clock())
        closed = replace(now, pull=pull, reason=reason)
        message = f"Close #{number}: {shorten_subject(pull.title)}\n\n{shorten_subject(reason)}"
        return Step(closed, replace_record(old, closed), message, (pull.head,))

    def _reword(self, tip: str | None, number: int, title: str, body: str, head: str) -> Step:
        old = self._records.get(tip, number)
        now = self._outcomes.look(old)
        if head and now.pull.head != head:
            raise HeadMovedError(now.pull.branch, head, now.pull.head)
        title = title or now.pull.title
        text = join_part(now.pull.body, body, _LARGEST)
        if (now.pull.title, now.pull.body) == (title, text):
            return Step(now)
        pull = replace(now.pull, title=title, body=text, updated=self._clock())
        new = replace(now, pull=pull)
        message = f"Update #{number}: {shorten_subject(title)}"
        return Step(new, replace_record(old, new), message, self._keep_existing(pull.head))

    def _announce(self, tip: str | None, number: int, expected_head: str) -> Step:
        """Write the merge commit and store its id, before anything points to it."""
        old = self._records.get(tip, number)
        now = self._outcomes.look(old)
        if now.pull.state != "open":
            return Step(now)
        if now.pull.head != expected_head:
            raise UsageError(
                f"pull request #{number} moved: its head is {now.pull.head}, "
                f"not {expected_head}; look at it again"
            )
        new = replace(now, merging=self._merge_commit(now))
        if new == old:
            return Step(new)
        message = f"Announce the merge of #{number}"
        return Step(new, replace_record(old, new), message, (new.merging,))

    def _merge_commit(self, record: Record) -> str:
        pull = record.pull
        base = self._store.tip(f"refs/heads/{pull.base}")
        if base is None:
            raise UsageError(f"pull request #{pull.number}: there is no branch {pull.base!r}")
        # Two who merge at once agree on one commit, so that the record names the right one.
        if record.merging and self._outcomes.list_parents(record.merging) == (base, pull.head):
            return record.merging
        tree, conflicts = self._store.merge(base, pull.head)
        if conflicts:
            raise UsageError(
                f"pull request #{pull.number} conflicts with {pull.base} in "
                f"{', '.join(conflicts)}; run reconcile again, it renders on the new base"
            )
        message = (
            f"Merge pull request #{pull.number}: {shorten_subject(pull.title)}\n\n"
            f"Pull-Request: #{pull.number}\n"
            f"Merged-by: {self._author.name} <{self._author.email}>\n"
        )
        return self._store.commit(tree, [base, pull.head], message, self._author, self._clock())

    def _settle_number(self, number: int) -> PullRequest:
        """Store what has become of a pull request; a merged branch that stands still goes."""

        def step(tip: str | None) -> Step:
            old = self._records.get(tip, number)
            return self._store_outcome(old, self._outcomes.look(old))

        pull = self._records.change(step).pull
        if pull.state == "merged":
            self._store.move(f"refs/heads/{pull.branch}", None, pull.head)
        return pull

    def _store_outcome(self, old: Record, now: Record) -> Step:
        if now.pull.state == old.pull.state:
            return Step(now)
        settled = replace(now, pull=replace(now.pull, updated=self._clock()))
        verb = "Merge" if settled.pull.state == "merged" else "Close"
        message = f"{verb} #{settled.pull.number}: {shorten_subject(settled.pull.title)}"
        return Step(
            settled, replace_record(old, settled), message, self._keep_existing(settled.pull.head)
        )

    def _keep_existing(self, head: str) -> tuple[str, ...]:
        """Return the commits to hold on to: the head, unless it was collected already."""
        if not self._store.contains(head, head):
            return ()
        return (head,)
