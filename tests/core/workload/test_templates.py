"""No value can change the structure of a manifest: tried on every template with hostile texts."""

import re

import jinja2
import pytest
import yaml
from jinja2 import nodes

from sluice.core.documents.emit import emit
from sluice.core.workload.bind import Templates
from sluice.system import resources
from support import contexts, hostile

TEMPLATES = sorted(resources.read_templates())
EXAMPLES = 20_000 // len(TEMPLATES) + 1
TEXT_AGAIN = (
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.AssignBlock,
    nodes.Import,
    nodes.FromImport,
)
"""What would turn printed tokens into text and print that text again."""


SHARED = Templates(resources.read_templates)
"""Compiling takes longer than rendering."""


def test_every_template_is_filled_by_some_case() -> None:
    assert sorted(contexts.recorded()) == TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_hostile_values_arrive_unchanged_and_nothing_else_changes(name: str) -> None:
    source = hostile.seeded(len(name))
    templates = SHARED
    known = contexts.recorded()[name]
    for number in range(EXAMPLES):
        values = known[number % len(known)]
        replacement = contexts.Replacement(source)
        numbered = contexts.context(values, replacement.value, replacement.key)
        place = replacement.placed
        expected = contexts.mapped(templates.render(name, numbered), place, place)
        rendered = templates.render(name, contexts.context(numbered, place, place))
        assert rendered == expected
        written = emit({"": rendered})
        assert yaml.load(written, Loader=yaml.CSafeLoader) == {"": expected}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_never_makes_text_of_what_was_printed(name: str) -> None:
    tree = jinja2.Environment(autoescape=True).parse(resources.read_templates()[name])
    assert not list(tree.find_all(TEXT_AGAIN))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_no_token_and_no_filter_beyond_the_few_allowed(name: str) -> None:
    source = resources.read_templates()[name]
    assert "⟦" not in source
    filters = {
        node.name
        for node in jinja2.Environment(autoescape=True).parse(source).find_all(nodes.Filter)
    }
    assert filters <= {"default", "first", "length", "sort"}


def test_releases_of_one_shape_share_one_parsed_text() -> None:
    templates = Templates(resources.read_templates)
    for number in range(50):
        values = {"path": f"/{number}", "period": number, "timeout": 1, "failures": 2}
        templates.render("release/probe.yaml.j2", values)
    assert len(templates._trees) == 1


def test_no_engine_and_no_vendor_is_named_in_the_program() -> None:
    package = resources.find_directory("templates").parent
    engines = resources.list_catalog("engines")
    entries = [
        resources.read_catalog_entry("accelerators", name) or {}
        for name in resources.list_catalog("accelerators")
    ]
    words = re.compile(
        "|".join(
            rf"\b{re.escape(word)}\b(?![./]protobuf)"
            for word in {*engines, *(entry["vendor"] for entry in entries)}
        ),
        re.IGNORECASE,
    )
    sources = [*package.rglob("*.py"), *package.rglob("*.j2")]
    named = [
        path.relative_to(package).as_posix()
        for path in sources
        if words.search(path.read_text("utf-8"))
    ]
    assert named == []
