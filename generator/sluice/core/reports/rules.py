"""The page of each rule: what it means, why it is there, an example of it, and the way out."""

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.core.finding import Severity
from sluice.core.kubernetes.rules import RULES as SEMANTIC

_REFUSED = (
    "The API server, or the controller of the kind, refuses the object or can never run it; a"
    " schema cannot say so, and without this rule the merge would be the first to find out."
)
_IGNORED = "The API server accepts it, and it does not do what it says."

Pages = Mapping[str, Mapping[str, str]]
"""The written pages as data: title, why, bad, good and fix, by id."""


@dataclass(frozen=True)
class Page:
    """One rule, documented."""

    rule: str
    title: str
    why: str
    fix: str
    bad: str = ""
    good: str = ""

    @property
    def short(self) -> dict[str, str]:
        """What report formats carry of it."""
        return {"title": self.title, "text": self.why, "remedy": self.fix}


def pages_of(written: Pages) -> dict[str, Page]:
    """Every page by the id of its rule; those of semantic rules come from their definitions."""
    pages = {rule: Page(rule, **entry) for rule, entry in written.items()}
    for rule, said in SEMANTIC.items():
        why = _REFUSED if said.severity is Severity.ERROR else _IGNORED
        pages[rule] = Page(rule, said.title, why, _sentence(said.help))
    return pages


def known(pages: Mapping[str, Page], rule: str) -> Page | None:
    """The page of an id; of what a policy decides that of all of them."""
    return pages.get(rule.partition("/")[0])


def text(page: Page) -> str:
    """The page for a terminal."""
    lines = [f"{page.rule}: {page.title}", "", page.why]
    for head, example in (("Bad:", page.bad), ("Good:", page.good)):
        if example:
            lines += ["", head, *(f"    {line}" for line in example.rstrip("\n").split("\n"))]
    return "\n".join([*lines, "", f"Fix: {page.fix}", ""])


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
