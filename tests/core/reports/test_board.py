"""The page of what runs where: well-formed, without network, and nothing of others is markup."""

import copy
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from sluice.core.reports.board import render_board
from sluice.core.reports.board_drawing import (
    draw_changes,
    draw_meter,
    draw_progress,
    draw_rates,
)
from sluice.core.reports.page_templates import PageTemplates
from sluice.core.reports.status_text import plain
from sluice.system import resources
from support import hostile
from support.overviews import EVIDENCE, OUTSIDE, WHOLE, seen, spoiled

X = "{http://www.w3.org/1999/xhtml}"
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "section", "article"),
    *("div", "p", "h1", "h2", "h3", "dl", "dt", "dd", "span", "a"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "rect", "line", "path", "text"),
}
LINKS = "../models"
PAGES = PageTemplates(resources.read_pages)


def page(found: dict[str, Any], links: str | None) -> str:
    return render_board(found, links, PAGES)


def drawn(macro: str, drawing: object) -> str:
    return PAGES.drawing("board/drawings.svg.j2", macro, drawing)


def meter(used: int, quota: int, resource: str) -> str:
    return drawn("bar", draw_meter(used, quota, resource))


def progress(rollout: dict[str, Any]) -> str:
    return drawn("bar", draw_progress(rollout))


def rates(gate: dict[str, Any]) -> str:
    return drawn("rates", draw_rates(gate))


def changes(gates: list[dict[str, Any]]) -> str:
    return drawn("changes", draw_changes(gates))


def parsed(html: str) -> ET.Element:
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page


def outline(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with the names of its attributes, in order."""
    return [(e.tag.removeprefix(X), tuple(e.attrib)) for e in parsed(html).iter()]


USUAL = {
    *outline(page(WHOLE, LINKS)),
    *outline(page(seen({"environments/staging/platform/chat/release.yaml": b"["}), None)),
}


class Reader(HTMLParser):
    """As a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_same_data_give_the_same_bytes_whatever_they_came_in() -> None:
    assert page(WHOLE, LINKS) == page(copy.deepcopy(seen(EVIDENCE, OUTSIDE, "production")), LINKS)


def test_both_kinds_of_reader_see_the_same_known_elements() -> None:
    html = page(WHOLE, LINKS)
    assert [tag for tag, _ in outline(html)] == Reader(html).tags
    assert set(Reader(html).tags) == TAGS


def test_it_needs_no_network_and_runs_nothing() -> None:
    html = page(WHOLE, LINKS)
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html
    addresses = [e.attrib[k] for e in parsed(html).iter() for k in ("href", "src") if k in e.attrib]
    assert set(addresses) == {
        "../models/environments/production/environment.yaml",
        "../models/environments/production/platform/chat/release.yaml",
    }


def test_the_grid_has_a_row_for_each_release_and_a_column_for_each_environment() -> None:
    found = seen({})
    (table, *_) = parsed(page(found, None)).iter(f"{X}table")
    head = [cell.text for cell in table.findall(f"{X}thead/{X}tr/{X}th")]
    assert head == ["release", "lab", "mesh", "production", "staging"]
    rows = {
        row.findtext(f"{X}th"): ["".join(cell.itertext()).split() for cell in row.iter(f"{X}td")]
        for row in table.iter(f"{X}tr")
    }
    assert len(rows) == len({(r["team"], r["name"]) for r in found["releases"]}) + 1
    stable = ["version", "2", "stable"]
    assert rows["platform/chat"] == [["-"], stable, ["version", "2", "10%", "step"], stable]


def test_tables_and_drawings_can_be_read_aloud() -> None:
    root = parsed(page(WHOLE, LINKS))
    assert root.attrib["lang"] == "en"
    for table in root.iter(f"{X}table"):
        assert table.findtext(f"{X}caption")
        assert all(cell.attrib["scope"] == "col" for cell in table.findall(f".//{X}thead//{X}th"))
        assert all(cell.attrib["scope"] == "row" for cell in table.findall(f".//{X}tbody//{X}th"))
    drawings = list(root.iter(f"{X}svg"))
    assert len(drawings) == 5
    assert all(d.attrib["role"] == "img" and d.attrib["aria-label"] for d in drawings)
    assert "10 % of the requests to version 2" in {d.attrib["aria-label"] for d in drawings}


def test_what_is_shown_is_what_status_says() -> None:
    words = " ".join(" ".join(Reader(page(WHOLE, LINKS)).words).split())
    for said in (
        "as of commit 0123456789ab",
        "Unknown: somebody: did not answer",
        "16 of 16 at the most",
        "next: 50 % after 10m at the least",
        "138 of 13800",
        "pull request #7 for version 3 is open, and waits",
        "Argo CD: not in sync, Degraded",
        "29.76/h (21,725/month)",
        "passed mmlu/acc : 0.7 (0.68 before)",
    ):
        assert said.replace(" :", ":") in words.replace(" :", ":")


def test_what_is_broken_has_a_place_of_its_own() -> None:
    found = seen({"environments/staging/platform/chat/release.yaml": b"spec: ["})
    html = page(found, None)
    assert "What cannot be read" in html
    assert "environments/staging/platform/chat/release.yaml" in html


def test_without_links_files_are_named_only() -> None:
    assert "<a " not in page(WHOLE, None)


@settings(max_examples=120)
@given(spoiled())
def test_no_value_becomes_an_element_or_an_attribute(found: dict[str, Any]) -> None:
    html = page(found, LINKS)
    assert [tag for tag, _ in outline(html)] == Reader(html).tags
    assert set(outline(html)) <= USUAL


@settings(max_examples=200)
@given(st.sampled_from(hostile.TEXTS) | st.text(max_size=40))
def test_a_hostile_name_is_shown_as_it_is(text: str) -> None:
    found = copy.deepcopy(WHOLE)
    found["releases"][0]["model"] = {"name": f"({text})", "version": "1"}
    words = " ".join(" ".join(Reader(page(found, LINKS)).words).split())
    assert plain(f"({text}) 1") in words


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"onload='x'", "]]>", "&lt;", "\0"])
def test_an_attack_stays_text(text: str) -> None:
    found = copy.deepcopy(WHOLE)
    found["releases"][0]["rollout"]["candidate"] = text
    found["releases"][0]["evaluation"]["gates"][0]["metric"] = text
    html = page(found, LINKS)
    assert "<script" not in html
    assert outline(html) == outline(page(WHOLE, LINKS))


def test_a_path_cannot_leave_its_link() -> None:
    found = copy.deepcopy(WHOLE)
    found["releases"][0]["file"] = 'environments/x" onclick="alert(1)/é?#.yaml'
    html = page(found, "https://git.example/a?b=<c>&d")
    assert outline(html) == outline(page(WHOLE, LINKS))
    assert "/environments/x%22%20onclick%3D%22alert%281%29/%C3%A9%3F%23.yaml" in html


def test_drawings_keep_within_their_bounds() -> None:
    assert 'width="220" height="8"' in meter(9, 4, "devices")
    assert "over" in meter(9, 4, "devices")
    assert "over" in meter(1, 0, "devices")
    assert 'width="0.0"' in meter(0, 0, "devices")
    assert 'width="0.0"' in progress({"weight": 0, "candidate": "2", "weights": [0]})
    nothing = {"name": "x", "batches": []}
    assert rates(nothing) == ""
    gap = {"candidate": None, "stable": 0.0}
    one = rates({"name": "x", "batches": [gap]})
    assert 'class="candidate" d=""' in one
    assert "NaN" not in one
    assert changes([]) == ""
    gate = {"metric": "m" * 99, "value": 0.5, "baseline": 1.0, "lowerIsBetter": True}
    assert "+50.00 %" in changes([gate] * 40)
    assert changes([gate] * 40).count("<rect") == 24


@pytest.mark.parametrize("text", hostile.TEXTS)
def test_templates_escape_what_they_are_given(text: str) -> None:
    source = {"x.html.j2": '<p title="{{ text }}">{{ text }}</p>'}
    html = PageTemplates(lambda: source).render("x.html.j2", text=text)
    paragraph = ET.fromstring(html)  # noqa: S314 - our own page
    assert (paragraph.tag, list(paragraph), set(paragraph.attrib)) == ("p", [], {"title"})
    assert (paragraph.text or "", paragraph.attrib["title"]) == (plain(text), plain(text))


def test_a_template_that_names_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(jinja2.UndefinedError):
        PageTemplates(lambda: {"x.html.j2": "{{ board.colour }}"}).render("x.html.j2", board={})


@pytest.mark.parametrize("name", sorted(resources.read_pages()))
def test_no_page_turns_escaping_off(name: str) -> None:
    tree = jinja2.Environment(autoescape=True).parse(resources.read_pages()[name])
    assert {node.name for node in tree.find_all(nodes.Filter)} <= {"e"}
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier))
    assert not list(tree.find_all(nodes.EvalContextModifier))
