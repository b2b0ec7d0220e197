"""How pull requests are merged: the styles that a repository allows, and what a merge commit says.

Commits of ours carry in their trailers what happened; a squash that the forge words itself drops
them, and no merge over an API names who has approved. So the words are ours where they can be.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from sluice.forges.bodies import clean, one_line

Style = Literal["merge", "rebase-merge", "squash", "fast-forward-only", "rebase"]

# What keeps our commits as they are, under a commit that names who merged, comes first.
_ORDER: tuple[Style, ...] = ("merge", "rebase-merge", "squash", "fast-forward-only", "rebase")
# These make a commit of their own.
WORDED: frozenset[Style] = frozenset({"merge", "rebase-merge", "squash"})


class Message(NamedTuple):
    """What a merge or a squash says."""

    title: str
    body: str

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.title}\n\n{self.body}" if self.body else self.title


def chosen(allowed: Collection[str], preferred: str = "") -> Style | None:
    """The style to merge by: the preferred one if it is allowed; None when none is."""
    known = [style for style in _ORDER if style in allowed]
    return next((style for style in known if style == preferred), known[0] if known else None)


def squash_message(
    title: str, number: int, commits: Sequence[str], approvers: Iterable[str], merger: str
) -> Message:
    """What a squash says: whatever its commits say, who has approved, and who merges.

    Args:
        title: of the pull request.
        number: likewise.
        commits: the messages of its commits, oldest first.
        approvers: whose reviews approve it.
        merger: in whose name it is merged; nothing when that is not known.
    """
    whole = len(commits) > 1
    said = [clean(text).strip() if whole else _below_subject(clean(text)) for text in commits]
    people = [*_reviewed(approvers), *([f"Merged-by: {one_line(merger, 200)}"] if merger else ())]
    parts = [text for text in said if text]
    end = "\n".join(people)
    joined = "\n" if parts and _ends_with_trailers(parts[-1]) else "\n\n"
    body = "\n\n".join(parts)
    return Message(f"{one_line(title, 200)} (#{number})", joined.join(filter(None, (body, end))))


def merge_body(approvers: Iterable[str]) -> str:
    """What a merge commit says below its title; nothing when nobody has approved."""
    return "\n".join(_reviewed(approvers))


def _reviewed(approvers: Iterable[str]) -> list[str]:
    return [f"Reviewed-by: {one_line(name, 200)}" for name in sorted(set(approvers)) if name]


def _below_subject(message: str) -> str:
    return message.strip().partition("\n")[2].strip()


def _ends_with_trailers(text: str) -> bool:
    """Whether more trailers go on in the same paragraph."""
    last = text.rpartition("\n\n")[2].splitlines()
    return all(": " in line and " " not in line.partition(":")[0] for line in last)
