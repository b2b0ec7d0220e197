"""Every id that the program can emit has a page, and no page is about an id that it cannot."""

import re

import pytest
import yaml

from sluice.core.finding import UsageError
from sluice.core.reports.rules import text
from sluice.workspace.rule_pages import page, read_all_pages, select_pages
from support import trees

PAGES = read_all_pages()
ID = re.compile(r'"([A-Z][A-Z0-9]{2}[A-Z]?[0-9]{3})"')


def emitted() -> set[str]:
    sources = (trees.ROOT / "generator" / "sluice").rglob("*.py")
    return {rule for path in sources for rule in ID.findall(path.read_text("utf-8"))}


def test_pages_and_ids_are_the_same() -> None:
    assert emitted() - PAGES.keys() == set()
    assert PAGES.keys() - emitted() == set()


@pytest.mark.parametrize("rule", sorted(PAGES))
def test_a_page_says_what_why_and_how_with_examples(rule: str) -> None:
    found = page(rule, None)
    assert found.title
    assert found.why.endswith((".", '"'))
    assert found.fix
    assert found.bad, rule
    assert found.good, rule
    assert found.bad != found.good
    shown = text(found)
    assert shown.startswith(f"{rule}: ")
    assert "# expect" not in shown
    assert "Fix: " in shown


def test_good_examples_can_be_read() -> None:
    for rule, found in PAGES.items():
        assert (
            list(yaml.safe_load_all(found.good)) or found.good.startswith("#") or not found.good
        ), rule


def test_a_policy_has_a_page_of_its_own() -> None:
    found = page("POL010/sluice-pinned-images", trees.ROOT)
    assert "must not float" in found.why
    assert "digest" in found.fix
    with pytest.raises(UsageError, match="no policy"):
        page("POL010/nobody", trees.ROOT)


def test_an_unknown_id_is_wrong_use_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean SCH001"):
        page("SCH0O1", None)


def test_only_sarif_carries_pages() -> None:
    assert select_pages("text") == {}
    assert select_pages("sarif")["SCH001"]["title"] == "an unknown key"
