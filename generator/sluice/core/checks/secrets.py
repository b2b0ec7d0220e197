"""What looks like a credential in a file that Git would keep for good."""

from collections.abc import Iterator, Mapping

from sluice.core import layout
from sluice.core.confidential import leaks
from sluice.core.finding import Finding, Place

RULE = "SEC001"
_SPECS = (f"{layout.ENVIRONMENTS}/", f"{layout.CATALOG}/")
_HELP = (
    "take it out, revoke it, and let the spec name a Secret that holds it; what is no credential "
    "is let through by a waiver in policies/waivers.yaml"
)


def leaked_specs(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """As `leaked`, of the files that releases are rendered from.

    Not of policies: their expressions and examples are about what credentials look like.
    """
    yield from leaked({path: raw for path, raw in files.items() if path.startswith(_SPECS)})


def leaked(files: Mapping[str, bytes | None], known: str = "") -> Iterator[Finding]:
    """A finding for each place that looks like a credential; nothing of it is repeated.

    Args:
        files: what is to be in Git, by path.
        known: texts that are in Git already, and whose content people have looked at.
    """
    for path, raw in sorted(files.items()):
        text = (raw or b"").decode(errors="replace")
        for leak in leaks(text):
            if text[leak.start : leak.end] not in known:
                before = text[: leak.start]
                line, column = before.count("\n") + 1, leak.start - before.rfind("\n")
                message = f"this looks like {leak.kind}"
                yield Finding(Place(path, line, column), RULE, message, _HELP)
