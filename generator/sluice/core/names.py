"""Names that Kubernetes, Git and file systems accept, made from names that they may refuse."""

import hashlib
import re
from collections.abc import Sequence

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_LABEL = 63


def slug(text: str, longest: int = _LONGEST_LABEL) -> str:
    """A DNS label for any text; two different texts have different labels.

    A text that is a short enough label already is kept. Anything else loses what a label may not
    hold and gets eight digits of its hash.
    """
    if len(text) <= longest and _LABEL.fullmatch(text):
        return text
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{kept[: max(longest - 9, 0)].rstrip('-')}-{digest}".lstrip("-")


def workload(release: str, version: str) -> str:
    """The name of the workload that serves one version of a release."""
    return f"{release}-v{slug(version, _LONGEST_LABEL - len(release) - 2 - 10)}"


def nearest(word: str, known: "list[str] | tuple[str, ...]") -> str | None:
    """The known word that is at most two edits away, for "did you mean"."""
    best = min(known, key=lambda candidate: (distance(word, candidate), candidate), default=None)
    limit = 1 if len(word) <= 3 else 2  # noqa: PLR2004  # two edits turn a short word into any other
    return best if best is not None and distance(word, best) <= limit else None


def meant(word: str, known: "list[str] | tuple[str, ...]") -> str | None:
    """The known word that is nearest, where no other is as near: what a person must have meant."""
    best = nearest(word, known)
    if best is None:
        return None
    near = distance(word, best)
    return best if sum(distance(word, one) <= near for one in set(known)) == 1 else None


def distance(left: str, right: str) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from one word to the other.

    Case, and whether words are joined by hyphens or underscores, is no edit.
    """
    left, right = left.lower().replace("_", "-"), right.lower().replace("_", "-")
    if abs(len(left) - len(right)) > 2:  # noqa: PLR2004  # further than anyone asks
        return 3
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b))
            if row > 1 and column > 1 and a == right[column - 2] and left[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few of many names in one sentence, and how many there are beside them."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")
