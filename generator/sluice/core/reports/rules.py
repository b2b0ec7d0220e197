"""The page of each rule: what it means, why it is there, an example of it, and the way out."""

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.core.finding import Severity

_REFUSED = (
    "The API server, or the controller of the kind, refuses the object or can never run it; a"
    " schema cannot say so, and without this rule the merge would be the first to find out."
)
_IGNORED = "The API server accepts it, and it does not do what it says."

Pages = Mapping[str, Mapping[str, str]]
"""The written pages as data, by id: title, why, bad, good and fix.

A semantic rule has title, help and severity instead: its examples are files, and its reason is
that of its severity.
"""


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
    """Every page by the id of its rule."""
    return {rule: _page(rule, entry) for rule, entry in written.items()}


def _page(rule: str, entry: Mapping[str, str]) -> Page:
    if "help" not in entry:
        return Page(rule, **entry)
    is_error = entry.get("severity", Severity.ERROR) == Severity.ERROR
    why = _REFUSED if is_error else _IGNORED
    return Page(rule, entry["title"], why, _sentence(entry["help"]))


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
