"""Bound parameters: values become data, never text, and a template that breaks the rules fails."""

from typing import Any

import jinja2
import pytest
from jinja2.exceptions import SecurityError

from sluice.core.workload.bind import TemplateError, Templates


def render(source: str, **values: object) -> Any:  # noqa: ANN401  # any YAML
    return Templates(lambda: {"t": source, "part": "p: {{ x }}"}).render("t", values)


def test_types_survive() -> None:
    values: dict[str, Any] = {"a": 1, "b": True, "c": None, "d": [1, {"x": "y"}], "e": 0.5}
    source = "".join(f"{key}: {{{{ {key} }}}}\n" for key in values)
    assert render(source, **values) == values


@pytest.mark.parametrize("value", ["a: b", "x\n- y", "⟦0⟧", "⟦1⟧", "{{ x }}", "---", "#", "", "'"])
def test_a_text_is_the_same_text_wherever_it_is_printed(value: str) -> None:
    assert render("a: {{ x }}", x=value) == {"a": value}
    assert render("a: p-{{ x }}-s", x=value) == {"a": f"p-{value}-s"}
    assert render('a: "{{ x }}"', x=value) == {"a": value}
    assert render("{{ x }}: 1", x=value) == {value: 1}
    assert render("- {{ x }}", x=value) == [value]
    assert render("[{{ x }}, {{ y }}]", x=value, y="z") == [value, "z"]


def test_constants_concatenations_and_filters_are_bound_too() -> None:
    assert render("a: {{ 'b: c' }}") == {"a": "b: c"}
    assert render("a: {{ 'b: ' ~ x }}", x="# c") == {"a": "b: # c"}
    assert render("a: {{ x | default('d: e') }}") == {"a": "d: e"}
    assert render("a: {{ x | first }}", x=[": "]) == {"a": ": "}


def test_a_part_is_data_in_its_place() -> None:
    source = 'deep:\n    er: {{ part("part", x="a: b") }}\n'
    assert render(source) == {"deep": {"er": {"p": "a: b"}}}


def test_a_part_sees_the_values_of_the_whole() -> None:
    assert render('a: {{ part("part") }}', x="\n") == {"a": {"p": "\n"}}


@pytest.mark.parametrize("value", [True, None, 0.5, [1], {"a": 1}])
def test_only_text_and_whole_numbers_stand_inside_a_longer_text(value: object) -> None:
    with pytest.raises(TemplateError, match="inside a longer text"):
        render("a: x-{{ x }}", x=value)


def test_two_keys_that_become_one_are_refused() -> None:
    with pytest.raises(TemplateError, match="the same"):
        render("{{ x }}: 1\n{{ y }}: 2", x="a", y="a")
    with pytest.raises(TemplateError, match="the same"):
        render("a: 1\n{{ x }}: 2", x="a")


def test_a_value_that_is_printed_into_a_comment_is_refused() -> None:
    with pytest.raises(TemplateError, match="where no data is"):
        render("a: 1 # {{ x }}", x="y")


@pytest.mark.parametrize("source", ["a: {{ x }}", "a: {{ x.y }}", "a: {% if x %}1{% endif %}"])
def test_a_value_that_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


@pytest.mark.parametrize(
    "source", ["a: {{ x | upper }}", "a: {{ x | safe }}", "a: {{ x | tojson }}"]
)
def test_a_filter_beyond_the_few_is_refused(source: str) -> None:
    with pytest.raises(jinja2.TemplateAssertionError):
        render(source, x="y")


@pytest.mark.parametrize(
    "source",
    ["a: {{ x.__class__.__mro__ }}", "a: {{ ''.__class__ }}", "{% set y = x.append(1) %}a: 1"],
)
def test_a_template_reaches_nothing_but_its_values(source: str) -> None:
    with pytest.raises((SecurityError, TemplateError)):
        render(source, x=[])


def test_a_template_has_no_clock_no_range_and_no_globals() -> None:
    for name in ("range", "dict", "lipsum", "cycler", "namespace"):
        with pytest.raises(TemplateError):
            render(f"a: {{{{ {name} }}}}")


def test_a_template_that_holds_a_token_is_refused() -> None:
    with pytest.raises(TemplateError, match="reserved"):
        render("a: ⟦0⟧")


def test_a_template_that_is_no_yaml_is_refused_with_its_name() -> None:
    with pytest.raises(TemplateError, match=r"^t: "):
        render("a: [")


def test_the_cached_tree_is_not_changed_by_filling_it() -> None:
    templates = Templates(lambda: {"t": "a: {{ x }}\nb: [c]\n"})
    first = templates.render("t", {"x": "1"})
    first["b"].append("d")
    first["e"] = "f"
    assert templates.render("t", {"x": "2"}) == {"a": "2", "b": ["c"]}
