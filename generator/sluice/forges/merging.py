"""How pull requests are merged: the styles that a repository allows, and what a merge commit says.

Commits of ours carry in their trailers what happened; a squash that the forge words itself drops
them, and no merge over an API names who has approved. So the words are ours where they can be.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from sluice.forges.bodies import clean, shorten

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
        if not self.body:
            return self.title
        return f"{self.title}\n\n{self.body}"


def choose_style(allowed: Collection[str], preferred: str = "") -> Style | None:
    """Choose the style to merge by: the preferred one if it is allowed; None when none is."""
    usable = [style for style in _ORDER if style in allowed]
    for style in usable:
        if style == preferred:
            return style
    if not usable:
        return None
    return usable[0]


def write_squash(
    title: str, number: int, commits: Sequence[str], approvers: Iterable[str], merger: str
) -> Message:
    """Write what a squash says: whatever its commits say, who has approved, and who merges.

    Args:
        title: of the pull request.
        number: likewise.
        commits: the messages of its commits, oldest first.
        approvers: whose reviews approve it.
        merger: in whose name it is merged; nothing when that is not known.
    """
    texts = [clean(text).strip() for text in commits]
    if len(texts) == 1:  # its subject is the title already
        texts = [_strip_subject(texts[0])]
    parts = [text for text in texts if text]
    people = _list_reviews(approvers)
    if merger:
        people.append(f"Merged-by: {shorten(merger, 200)}")
    body, end = "\n\n".join(parts), "\n".join(people)
    # Trailers are those of the last paragraph only, so ours join any that are there.
    gap = "\n" if parts and _ends_with_trailers(parts[-1]) else "\n\n"
    return Message(f"{shorten(title, 200)} (#{number})", gap.join(filter(None, (body, end))))


def write_merge_body(approvers: Iterable[str]) -> str:
    """Write what a merge commit says below its title; nothing when nobody has approved."""
    return "\n".join(_list_reviews(approvers))


def _list_reviews(approvers: Iterable[str]) -> list[str]:
    return [f"Reviewed-by: {shorten(name, 200)}" for name in sorted(set(approvers)) if name]


def _strip_subject(message: str) -> str:
    return message.strip().partition("\n")[2].strip()


def _ends_with_trailers(text: str) -> bool:
    """Whether more trailers go on in the same paragraph."""
    last = text.rpartition("\n\n")[2].splitlines()
    return all(": " in line and " " not in line.partition(":")[0] for line in last)
