"""Whether the cluster does what Git says, and what stands in the way, each in one line.

Argo CD says much of what it does and little of what it does not do: that a sync window is closed,
that it never looked, or that it is busy with an older commit follows from what is missing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sluice.core.cluster import Application, Operation, Source
from sluice.core.confidential import redacted
from sluice.core.units import duration

Kind = Literal[
    "unknown",
    "absent",
    "deleted",
    "elsewhere",
    "broken",
    "unread",
    "behind",
    "hangs",
    "fails",
    "refused",
    "paused",
    "window",
    "by hand",
    "changed",
    "route",
    "astray",
]
"""What stands in the way, for the label of a metric: no other words are ever in it."""

POLL = 180
"""Seconds within which Argo CD looks at Git again: every 120, and up to 60 more so that not all
applications are looked at together."""
MEMORY = 180
"""Seconds for which Argo CD's repository server remembers what a branch leads to."""
SLOWEST = POLL + MEMORY
"""Seconds after which a commit is noticed at the latest, where nobody tells Argo CD of it."""
DELAY = f"it sees a commit within {duration(POLL)}, or {duration(SLOWEST)} at the latest"
"""What to expect of an Argo CD that nobody tells of a commit."""
LONG = 120
"""Seconds after which a sync is not simply on its way any more."""
_ERRORS = ("ComparisonError", "InvalidSpecError", "UnknownError")
_WINDOW = "blocked by sync window"
_SHORT = 10
_PART = 200


Content = frozenset[tuple[str, str]]
"""The files of a folder, each with the id of what is in it."""


def _unknown(revision: str) -> Content | None:
    """What nobody looked up."""
    del revision
    return None


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One thing for which the cluster does not follow Git."""

    kind: Kind
    said: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an application is to follow: its source, and the commit that counts.

    `contains` says whether a revision has that commit, `knows` whether it is known at all, and
    `committed` when the commit was made; `now` is the time. Both in seconds since the epoch.
    `content` tells what the folder has at a revision, None where that is not known: commits for
    other releases change main, and nothing of what is applied here. `wanted` is what it has at the
    commit that counts.
    """

    name: str
    source: Source
    contains: Callable[[str], bool]
    committed: int
    now: int
    knows: Callable[[str], bool] = bool
    content: Callable[[str], Content | None] = _unknown
    wanted: Content | None = None

    def has(self, revision: str) -> bool:
        """Whether a revision is known to have the commit."""
        return bool(revision) and self.contains(revision)

    def is_said_by(self, revision: str) -> bool:
        """Whether to apply a revision is to apply what the commit says of this folder."""
        if self.has(revision):
            return True
        return self.wanted is not None and self.content(revision) == self.wanted

    def are_alike(self, first: str, second: str) -> bool:
        """Whether two revisions are known to say the same of this folder."""
        if not first or first == second:
            return bool(first)
        content = self.content(first)
        return content is not None and content == self.content(second)

    def follows(self, application: Application) -> bool:
        """Whether Argo CD has done what the commit says."""
        return application.synced and self.has(application.revision)


@dataclass(frozen=True, slots=True)
class Following:
    """How the cluster follows the weight of one rollout.

    Args:
        committed: the candidate's weight in Git.
        live: the weight that the cluster gives it; None where that is not known.
        source: what tells so: the route itself, or what Argo CD says that it applied.
        since: seconds for which the committed weight has been in Git.
        hindrances: what stands in the way.
    """

    committed: int
    live: int | None
    source: Literal["route", "application", ""]
    since: int
    hindrances: tuple[Hindrance, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the cluster is known to give another weight than Git."""
        return self.live is not None and self.live != self.committed

    def causes(self) -> tuple[str, ...]:
        """What stands in the way, in words."""
        return tuple(hindrance.said for hindrance in self.hindrances)

    def words(self) -> tuple[str, ...]:
        """What there is to say of it; nothing when all is as Git says."""
        if not self.differs:
            return self.causes()
        said = f"{contrast(self.committed, self.live)} for {duration(self.since)}"
        return (said, *self.causes())


def following_data(following: Following) -> dict[str, Any]:
    """How the cluster follows, as JSON has it."""
    return {
        "git": following.committed,
        "live": following.live,
        "source": following.source or None,
        "seconds": following.since,
        "slowest": SLOWEST,
        "hindrances": [{"kind": h.kind, "said": h.said} for h in following.hindrances],
    }


def contrast(committed: int, live: int | None) -> str:
    """What Git says against what the cluster does."""
    return f"Git says {committed} %, the cluster gives {live} %"


def hindrances(application: Application | None, wanted: Wanted) -> Iterator[Hindrance]:
    """What stands between an application and a commit, the cause before what follows from it."""
    name = wanted.name
    if application is None:
        yield Hindrance("absent", f"Argo CD has no application {name}")
        return
    if application.deleting:
        yield Hindrance("deleted", f"{name} is being deleted")
    if application.source is not None and not same_source(application.source, wanted.source):
        yield Hindrance("elsewhere", f"{name} follows {place(application.source)}")
    yield from _complaints(application, name)
    if wanted.follows(application):
        return
    found = list(_operation(application, wanted))
    if not found:
        found = list(_idle(application, wanted))
    yield from found


def stuck_at(application: Application | None, wanted: Wanted) -> str:
    """The older revision that a sync has been busy with for too long; empty when there is none."""
    operation = None if application is None else application.operation
    if operation is None or operation.phase != "Running" or not operation.revision:
        return ""
    if wanted.is_said_by(operation.revision) or _WINDOW in operation.message:
        return ""
    return operation.revision if _is_long(operation, wanted) else ""


def _complaints(application: Application, name: str) -> Iterator[Hindrance]:
    for kind, message in application.conditions:
        if kind in _ERRORS:
            yield Hindrance("broken", f"Argo CD cannot compare {name} with Git: {_line(message)}")
        elif kind == "SyncError" and not _is_told(application.operation):
            yield Hindrance("refused", f"Argo CD does not sync {name}: {_line(message)}")


def _is_told(operation: Operation | None) -> bool:
    """Whether an operation tells itself how it failed."""
    return operation is not None and operation.phase in ("Failed", "Error")


def _operation(application: Application, wanted: Wanted) -> Iterator[Hindrance]:
    """What the last operation, or the one under way, has to do with it."""
    operation, name = application.operation, wanted.name
    if operation is None:
        return
    told = _line("; ".join(operation.failures) or operation.message)
    at = f"revision {_short(operation.revision)}"
    is_older = bool(operation.revision) and not wanted.is_said_by(operation.revision)
    if operation.runs and _WINDOW in operation.message:
        yield Hindrance("window", f"a sync of {name} waits until a sync window opens")
    elif operation.runs and operation.finished is not None:
        older = ", which is older than the weight" if is_older else ""
        yield Hindrance("fails", f"a sync of {name} fails and begins again at {at}{older}: {told}")
    elif operation.runs and is_older:
        said = f"a sync of {name} has been busy for {_age(operation, wanted)}"
        yield Hindrance("hangs", f"{said} with {at}, which is older than the weight: {told}")
    elif operation.runs and _is_long(operation, wanted):
        said = f"a sync of {name} has been under way for {_age(operation, wanted)}: {told}"
        yield Hindrance("hangs", said)
    elif _is_told(operation) and _counts_still(application, operation, wanted):
        yield Hindrance("refused", f"{name} could not be applied at {at}: {told}")
    elif is_older and _is_by_hand(operation, wanted):
        yield Hindrance("by hand", f"somebody synced {name} to {at} by hand")


def _counts_still(application: Application, operation: Operation, wanted: Wanted) -> bool:
    """Whether what failed would be applied again: Argo CD does not try the same again by itself."""
    if not operation.revision or wanted.is_said_by(operation.revision):
        return True
    sees = wanted.has(application.revision)
    return sees and wanted.are_alike(operation.revision, application.revision)


def _is_by_hand(operation: Operation, wanted: Wanted) -> bool:
    """Whether somebody synced since the commit: what was synced before it was right then."""
    if operation.runs or operation.automated:
        return False
    return operation.started is None or operation.started >= wanted.committed


def _age(operation: Operation, wanted: Wanted) -> str:
    if operation.started is None:
        return "an unknown time"
    return duration(max(0, wanted.now - operation.started))


def _is_long(operation: Operation, wanted: Wanted) -> bool:
    """Whether a sync takes longer than one does that waits for nothing."""
    return operation.started is None or wanted.now - operation.started > LONG


def _idle(application: Application, wanted: Wanted) -> Iterator[Hindrance]:
    """Why nothing happens, where no operation says it."""
    name = wanted.name
    if not application.automated:
        yield Hindrance("paused", f"automated sync of {name} is off: somebody must sync it")
    elif not application.revision:
        if not any(kind in _ERRORS for kind, _ in application.conditions):
            yield Hindrance("unread", f"Argo CD has not compared {name} with Git yet")
    elif not wanted.has(application.revision):
        yield from _behind(application, wanted)
    elif application.operation is not None and application.operation.runs:
        return
    elif _was_applied(application, wanted):
        differing = ", ".join(application.differing) or name
        heals = "self-heal is off"
        if application.heals:
            heals = "Argo CD sets it right unless a sync window is closed"
        yield Hindrance("changed", f"{differing} was changed in the cluster, and {heals}")
    else:
        said = f"Argo CD sees the commit and does not apply {name}: is a sync window of project"
        yield Hindrance("window", f"{said} {application.project or 'default'} closed?")


def _was_applied(application: Application, wanted: Wanted) -> bool:
    """Whether what it is compared with was applied before, at that revision or another one."""
    operation = application.operation
    if operation is None or operation.phase != "Succeeded":
        return False
    return wanted.are_alike(operation.revision, application.revision)


def _behind(application: Application, wanted: Wanted) -> Iterator[Hindrance]:
    """Why Argo CD has not seen a commit yet."""
    if wanted.knows(application.revision):
        yield Hindrance("behind", _delay(application, wanted))
    else:
        said = f"Argo CD compares {wanted.name} with {_short(application.revision)}"
        yield Hindrance("elsewhere", f"{said}, a commit that is not known here")


def _delay(application: Application, wanted: Wanted) -> str:
    waited = max(0, wanted.now - wanted.committed)
    said = f"Argo CD still compares {wanted.name} with {_short(application.revision)}"
    if waited <= SLOWEST:
        asked = "; it was asked to look at once" if application.refreshing else ""
        return f"{said}: {DELAY}{asked}"
    looked = application.looked
    ago = "" if looked is None else f", and looked {duration(max(1, wanted.now - looked))} ago"
    asked = "; it was asked to look again and does not" if application.refreshing else ""
    return f"{said}, {duration(waited)} after the commit{ago}{asked}"


def same_source(found: Source, wanted: Source) -> bool:
    """Whether an application follows what it should; spellings of one address are alike."""
    return (
        _address(found.repository) == _address(wanted.repository)
        and _branch(found.revision) == _branch(wanted.revision)
        and found.path.strip("/") == wanted.path.strip("/")
    )


def place(source: Source) -> str:
    """What an application follows, in words."""
    if not source.repository:
        return "several sources, or none"
    said = f"{source.path or '.'} at {source.revision or 'HEAD'} of {source.repository}"
    return redacted(said)


def _address(repository: str) -> str:
    return repository.rstrip("/").removesuffix(".git").lower()


def _branch(revision: str) -> str:
    return revision.removeprefix("refs/heads/")


def _short(revision: str) -> str:
    return revision[:_SHORT] or "an unknown revision"


def _line(text: str) -> str:
    """A message on one line; of a long one the beginning, and the end, where the cause stands."""
    words = redacted(" ".join(text.split()))
    return words if len(words) <= 2 * _PART else f"{words[:_PART]} … {words[-_PART:]}"
