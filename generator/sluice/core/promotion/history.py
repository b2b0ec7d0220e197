"""Who served when, why, approved by whom and on what evidence: read out of commits."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sluice.core.bounded import json_of
from sluice.core.gates.serving_periods import State
from sluice.core.model import Commit
from sluice.core.outgoing import lines_of, one_line
from sluice.core.units import duration

Event = Literal[
    "created",
    "promoted",
    "rolling back",
    "rolled back",
    "changed",
    "settled",
    "moved",
    "removed",
    "restored",
]

_TRAILER = re.compile(r"([A-Za-z][A-Za-z-]*):[ \t]+(\S.*)")
_APPROVALS = ("Approved-by", "Reviewed-by", "Acked-by")
_MERGES = ("Merged-by",)
# In whose name forges commit what a person asked of them.
_NOBODY = frozenset({"GitHub", "GitLab"})
# How the forges say in a commit which pull request it came from.
_PULLS = (
    re.compile(r"^Pull-Request: #?(\d+)$", re.MULTILINE),
    re.compile(r"\AMerge pull request #(\d+)"),
    re.compile(r"\A[^\n]*\(#(\d+)\)$", re.MULTILINE),
    re.compile(r"^See merge request \S*!(\d+)$", re.MULTILINE),
    re.compile(r"^Reviewed-on: \S+/pulls/(\d+)$", re.MULTILINE),
)
_OF_A_GATE = ("metric", "condition", "value", "baseline", "passed", "note")
_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
_PERSON = re.compile(r"\s*<[^>]*>\s*\Z")


@dataclass(frozen=True, slots=True)
class Change:
    """One commit of main that changed a release, as it was read.

    `proposal` is the commit that a merge brought, or the commit itself; `evidence` what it froze,
    by path.
    """

    commit: Commit
    proposal: Commit
    release: str
    state: State
    evidence: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one commit meant for a release; `until` is None for what is so now."""

    event: Event
    change: Change
    previous: str
    until: int | None
    approved_by: tuple[str, ...]
    pull: int
    reverts: str
    proposed_by: str = ""
    merged_by: str = ""

    @property
    def why(self) -> str:
        """The reason, as far as the commit gives one."""
        told = trailers(self.change.proposal.message)
        if self.reverts:
            return f"reverts {self.reverts[:10]}"
        return told.get("Follows") or _said(self.change.proposal.message, ours="Release" in told)


def _said(message: str, *, ours: bool) -> str:
    """The reason that a commit of Sluice gives below its subject; of others the subject."""
    subject, *more = message.strip().split("\n\n")
    reason = more[0].strip() if ours and more[1:] else ""
    return reason or subject.partition("\n")[0]


def entries(changes: Iterable[Change]) -> list[Entry]:
    """What each change meant, newest first.

    Args:
        changes: newest first; a commit that changes nothing of what serves is left out.
    """
    found: list[Entry] = []
    seen: set[tuple[str, str]] = set()
    before: Change | None = None
    for change in reversed(list(changes)):
        event = _event(before.state if before else None, change.state, seen)
        if before and not event and before.release != change.release:
            event = "moved"
        if event:
            if found:
                found[-1] = replace(found[-1], until=change.commit.time)
            found.append(_entry(event, change, before))
        seen.add((change.state.model, change.state.version))
        before = change
    return found[::-1]


def trailers(message: str) -> dict[str, str]:
    """Every line of a message that looks like a trailer, of a repeated one the last.

    A squash puts the messages of its commits in the middle of its own.
    """
    found = (_TRAILER.fullmatch(line.strip()) for line in message.splitlines()[1:])
    return {match[1]: match[2].strip() for match in found if match}


def approvals(messages: Iterable[str]) -> list[str]:
    """The people that commits name as those who approved."""
    return _named(messages, _APPROVALS)


def mergers(messages: Iterable[str]) -> list[str]:
    """The people that commits name as those who merged."""
    return _named(messages, _MERGES)


def _named(messages: Iterable[str], keys: Collection[str]) -> list[str]:
    names = []
    for message in messages:
        for line in message.splitlines()[1:]:
            match = _TRAILER.fullmatch(line.strip())
            if match and match[1] in keys:
                names.append(_PERSON.sub("", match[2]).strip())
    return list(dict.fromkeys(filter(None, names)))


def as_data(entry: Entry) -> dict[str, Any]:
    """For JSON; times are ISO 8601 in UTC, `seconds` None for what serves now."""
    change, told = entry.change, _told(entry.change)
    until, begin = entry.until, change.commit.time
    return {
        "commit": change.commit.id,
        "time": _iso(begin),
        "until": None if until is None else _iso(until),
        "seconds": None if until is None else max(0, until - begin),
        "event": entry.event,
        "release": change.release,
        "model": change.state.model or None,
        "version": change.state.version or None,
        "previous": entry.previous or None,
        "rolling": change.state.rolling,
        "by": change.commit.author,
        "proposedBy": entry.proposed_by or None,
        "mergedBy": entry.merged_by or None,
        "approvedBy": list(entry.approved_by),
        "pullRequest": entry.pull or None,
        "why": entry.why,
        "reverts": entry.reverts or None,
        "subject": change.proposal.message.partition("\n")[0],
        "evidence": [_evidence(path, raw) for path, raw in sorted(change.evidence.items())],
        "trailers": told,
    }


def as_text(found: Sequence[Entry], now: int) -> str:
    """For a terminal."""
    return "".join(_block(entry, now) for entry in found)


def _event(before: State | None, now: State, seen: set[tuple[str, str]]) -> Event | None:
    if before is None:
        return "created"
    if not now.version or not before.version:
        removed: Event = "removed" if before.version else "restored"
        return removed if now.version != before.version else None
    if (now.model, now.version) != (before.model, before.version):
        return "rolled back" if (now.model, now.version) in seen else "promoted"
    if now.leaving and not before.leaving:
        return "rolling back"
    if now.rolling != before.rolling:
        return "changed" if now.rolling else "settled"
    return None


def _entry(event: Event, change: Change, before: Change | None) -> Entry:
    messages = [change.commit.message, change.proposal.message]
    names, proposer, merger = approvals(messages), change.proposal.author, _merger(change)
    # Who merges by hand has approved; a merge by its proposer is nobody's approval.
    if merger and merger != proposer and not names:
        names = [merger]
    found = (pattern.search(message) for message in messages for pattern in _PULLS)
    pull = next((int(match[1]) for match in found if match), 0)
    reverts = next((m[1] for m in map(_REVERTS.search, messages) if m), "")
    previous = before.state.version if before else ""
    return Entry(event, change, previous, None, tuple(names), pull, reverts, proposer, merger)


def _merger(change: Change) -> str:
    """Who brought a change to main, where that is told: by a trailer, a merge or a squash."""
    commit = change.commit
    named = mergers([commit.message, change.proposal.message])
    if named:
        return named[0]
    if len(commit.parents) > 1:
        return commit.author
    committer = commit.committer
    return committer if committer not in _NOBODY and committer != commit.author else ""


def _told(change: Change) -> dict[str, str]:
    return {**trailers(change.commit.message), **trailers(change.proposal.message)}


def _evidence(path: str, raw: bytes) -> dict[str, Any]:
    """What a file says, as far as it can be read."""
    try:
        data: Any = json_of(raw)
        gates = [{key: gate.get(key) for key in _OF_A_GATE} for gate in data["gates"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"path": path, "gates": None}
    return {"path": path, "gates": gates}


def _block(entry: Entry, now: int) -> str:
    change = entry.change
    begin, until = change.commit.time, entry.until
    length = duration(max(0, (now if until is None else until) - begin))
    what = f"version {change.state.version}" if change.state.version else "nothing"
    since = f" from {entry.previous}" if entry.previous and change.state.version else ""
    if entry.event == "rolling back":
        since = ""
    span = f"for {length}" if until is not None else f"now, for {length}"
    rolling = ", in a rollout" if change.state.rolling else ""
    lines = [
        f"{_minute(begin)}  {what}, {entry.event}{since}{rolling}; {span}",
        f"    by {_line(change.commit.author)}{_approval(entry)}; commit {change.commit.id[:10]}",
        f"    why: {_line(entry.why)}",
        *(f"    evidence: {line}" for line in map(_summary, as_data(entry)["evidence"])),
    ]
    return lines_of(lines)


def _approval(entry: Entry) -> str:
    names = ", ".join(map(_line, entry.approved_by))
    said = f", approved by {names}" if names else ""
    merger = entry.merged_by
    if merger and merger not in (entry.change.commit.author, *entry.approved_by):
        said += f", merged by {_line(merger)}"
    return said + (f", pull request #{entry.pull}" if entry.pull else "")


def _summary(told: Mapping[str, Any]) -> str:
    gates = told["gates"]
    if gates is None:
        return f"{told['path']}, which cannot be read"
    passed = sum(bool(gate["passed"]) for gate in gates)
    shown = (g["note"] if g["value"] is None else f"{g['metric']} {g['value']}" for g in gates)
    values = [_line(str(value)) for value in shown if value]
    listed = "".join(f", {value}" for value in values)
    return f"{told['path']}: {passed} of {len(gates)} gates passed{listed}"


def _line(text: str) -> str:
    """A text of others on one line, without what steers a terminal."""
    return one_line(text)


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def _minute(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}"
