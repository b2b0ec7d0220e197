"""The documentation of rules, as the package carries it; of policies, as the repository does."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml_rs

from sluice.core import layout
from sluice.core.finding import FindingsError, UsageError
from sluice.core.names import nearest
from sluice.core.reports.rules import Page, known, pages_of
from sluice.system import resources


def read_all_pages() -> dict[str, Page]:
    """Every page of a rule, by its id."""
    written: dict[str, Any] = {}
    for text in resources.read_files(resources.find_directory("catalog") / "rules").values():
        entries: Any = yaml_rs.loads(text)
        written |= entries
    return pages_of(written)


def select_pages(form: str) -> dict[str, Mapping[str, str]]:
    """What a report format carries of the pages; most carry none."""
    if form != "sarif":
        return {}
    return {rule: page.short for rule, page in read_all_pages().items()}


def page(rule: str, root: Path | None) -> Page:
    """The page of a rule, with an example.

    Args:
        rule: an id; of a policy with its name behind a slash.
        root: the repository, where the policy is.

    Raises:
        UsageError: when there is no such rule or policy.
    """
    pages = read_all_pages()
    found = known(pages, rule)
    if found is None:
        close = nearest(rule.upper(), tuple(pages))
        hint = f"; did you mean {close}?" if close else ""
        raise UsageError(f"there is no rule {rule}{hint}")
    if "/" in rule and found.rule == _decided():
        return _read_policy_page(rule.partition("/")[2], root)
    bad, good = resources.read_examples(found.rule)
    return replace(found, bad=found.bad or bad, good=found.good or good)


def _decided() -> str:
    """The rule under which policies decide; their engine loads slowly, and few ask for them."""
    from sluice.core.policy.layer import DECIDED  # noqa: PLC0415  # as said

    return DECIDED


def _read_policy_page(name: str, root: Path | None) -> Page:
    from sluice.core.documents.objects import read_all  # noqa: PLC0415  # as above
    from sluice.core.policy.reading import is_policy  # noqa: PLC0415  # as above

    folder = (root / layout.POLICIES) if root else resources.find_directory(layout.POLICIES)
    for path in sorted(folder.glob("*.yaml")):
        try:
            parts = read_all(path.name, path.read_bytes())
        except FindingsError:
            continue
        for part in parts:
            if is_policy(part.data) and part.data["metadata"].get("name") == name:
                return _policy_page(path.name, part.data)
    raise UsageError(f"there is no policy {name} in {folder}")


def _policy_page(file: str, data: Mapping[str, Any]) -> Page:
    metadata, spec = data["metadata"], data["spec"]
    said = metadata.get("annotations") or {}
    messages = [one.get("message") or one.get("expression", "") for one in spec["validations"]]
    rule = f"{_decided()}/{metadata['name']}"
    title = f"the policy {metadata['name']} ({layout.POLICIES}/{file})"
    why = said.get("sluice.dev/reason", "The repository's own policy.")
    wanted = "".join(f"\n  - {message.strip()}" for message in messages)
    fix = said.get("sluice.dev/remedy", "Change the object as the message says.")
    return Page(rule, title, f"{why}\n\nIt says:{wanted}", fix)
