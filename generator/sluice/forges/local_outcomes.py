"""What has become of an embedded pull request, as the branches themselves show it.

The record may be older than the branches: somebody merged by hand, pushed, or deleted a branch, or
a merge was killed between its announcement and its end.
"""

from dataclasses import replace
from itertools import islice

from sluice.core.forge import PullRequest
from sluice.forges.local_records import GitStore, Record

_SEARCHED = 1000  # commits of a base in which a merge is looked for
GONE = "its branch is gone"


class Outcomes:
    """Looks at the branches of a repository; nothing is written."""

    def __init__(self, store: GitStore) -> None:
        self._store = store

    def look(self, record: Record) -> Record:
        """Return a record as the branches make it, without storing that."""
        pull = record.pull
        if pull.state != "open" and not record.merging:
            return record
        base = self._store.tip(f"refs/heads/{pull.base}")
        if record.merging and base and self._store.contains(base, record.merging):
            head = self.list_parents(record.merging)[1]
            return Record(replace(pull, state="merged", merged_as=record.merging, head=head))
        if pull.state != "open":
            return record
        live = self._store.tip(f"refs/heads/{pull.branch}")
        merged = self._find_merge_by_hand(pull, base, live) if base else None
        if merged:
            return Record(merged)
        if live is None:
            return replace(record, pull=replace(pull, state="closed"), reason=GONE)
        return replace(record, pull=replace(pull, head=live))

    def _find_merge_by_hand(
        self, pull: PullRequest, base: str, live: str | None
    ) -> PullRequest | None:
        """Return a pull request as it was merged without our doing, if it was."""
        # The stored head comes first: after a merge by hand the branch may have moved on.
        for head in dict.fromkeys((pull.head, live or pull.head)):
            if self._store.contains(base, head):
                into = self._find_merge(base, head)
                return replace(pull, state="merged", merged_as=into, head=head)
        if not live:
            return None
        squashed = self._store.squashed_as(pull.base, live)
        if not squashed:
            return None
        return replace(pull, state="merged", merged_as=squashed, head=live)

    def _find_merge(self, base: str, head: str) -> str:
        """Find the commit that brought a head into the base; itself if none is near."""
        for commit, parents in islice(self._store.line(base), _SEARCHED):
            if head in parents[1:]:
                return commit
        return head

    def list_parents(self, commit: str) -> tuple[str, ...]:
        return tuple(next(iter(self._store.line(commit)))[1])
