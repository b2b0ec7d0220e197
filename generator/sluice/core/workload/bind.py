"""Templates with bound parameters: prepared statements for YAML.

A value never becomes text. Where a template prints one, it is stored and a token is printed; the
text, which holds tokens only, is parsed; then each token in the tree becomes its value. Releases of
one shape produce the same text, so that its tree is parsed once.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml_rs

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

_TOKEN = re.compile("⟦(\\d+)⟧")
_OBJECT = re.compile(
    r"^(?:- )?apiVersion: (?:([a-z0-9.-]+)/)?v\w+\n {0,2}kind: (\w+)$", re.MULTILINE
)
"""The head of an object that a template renders; what it refers to is further in."""
_KEPT_TREES = 4096
"""Shapes whose trees are kept: far more than specs have, and less than fills a memory."""
_ALLOWED_FILTERS = ("default", "first", "length", "sort")


class TemplateError(Exception):
    """A template that does not keep the rules; a defect of the template, never of a spec."""


class Templates:
    """A set of templates by name.

    Args:
        read: gives the text of each template; asked when the first one is rendered.
    """

    def __init__(self, read: Callable[[], Mapping[str, str]]) -> None:
        self._read = read
        self._trees: dict[str, Any] = {}

    @cached_property
    def _sources(self) -> Mapping[str, str]:
        return self._read()

    @cached_property
    def _environment(self) -> "Environment":
        return _environment(self._sources)

    @cached_property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Group and kind of every object that any of the templates renders."""
        texts = self._sources.values()
        return tuple(sorted({found for text in texts for found in _OBJECT.findall(text)}))

    def render(self, name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any YAML
        """Render a template to data.

        Raises:
            TemplateError: when the template breaks a rule of bound parameters, or lacks a value.
        """
        from jinja2 import UndefinedError  # noqa: PLC0415  # slow

        bound: list[Any] = []

        def part(part_name: str, **more: object) -> Any:  # noqa: ANN401  # any YAML
            return self.render(part_name, {**values, **more})

        template = self._environment.get_template(name)
        try:
            text = template.render(values, _bound=bound, part=part)
        except UndefinedError as error:
            raise TemplateError(f"{name}: {error}") from error
        tree = self._trees.get(text)
        if tree is None:
            if len(self._trees) >= _KEPT_TREES:
                self._trees.clear()
            tree = self._trees[text] = self._parsed(name, text, len(bound))
        return _fill(tree, bound)

    @staticmethod
    def _parsed(name: str, text: str, count: int) -> Any:  # noqa: ANN401  # any YAML
        try:
            tree = yaml_rs.loads(text, parse_datetime=False)
        except yaml_rs.YAMLDecodeError as error:
            raise TemplateError(f"{name}: {error}") from error
        used: set[int] = set()
        _collect(tree, used)
        if used != set(range(count)):
            lost = sorted(set(range(count)) - used)
            raise TemplateError(f"{name}: values {lost} are printed where no data is")
        return tree


def _environment(sources: Mapping[str, str]) -> "Environment":
    from jinja2 import DictLoader, StrictUndefined, pass_context  # noqa: PLC0415  # slow
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415  # slow

    for name, source in sources.items():
        if "⟦" in source:
            raise TemplateError(f"{name}: ⟦ is reserved for tokens")
    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader(sources),
        undefined=StrictUndefined,
        finalize=pass_context(_bind),  # the context also stops constant folding
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no value is ever printed into the text
    )
    filters = environment.filters
    environment.filters = {name: filters[name] for name in _ALLOWED_FILTERS}
    environment.globals = {}
    return environment


def _bind(context: "Context", value: object) -> str:
    """Store the value, print its token."""
    if type(value).__name__.endswith("Undefined"):
        str(value)  # raises, where storing it would hide the mistake
    bound: list[object] = context["_bound"]
    bound.append(value)
    return f"⟦{len(bound) - 1}⟧"


def _collect(node: object, used: set[int]) -> None:
    if isinstance(node, str):
        used.update(int(number) for number in _TOKEN.findall(node))
    elif isinstance(node, dict):
        for key, value in node.items():
            _collect(key, used)
            _collect(value, used)
    elif isinstance(node, list):
        for item in node:
            _collect(item, used)


def _fill(node: Any, bound: list[Any]) -> Any:  # noqa: ANN401  # any YAML
    if isinstance(node, str):
        return _filled(node, bound) if "⟦" in node else node
    if isinstance(node, dict):
        filled = {_key(key, bound): _fill(value, bound) for key, value in node.items()}
        if len(filled) != len(node):
            raise TemplateError("two bound keys are the same")
        return filled
    return [_fill(item, bound) for item in node] if isinstance(node, list) else node


def _filled(text: str, bound: list[Any]) -> Any:  # noqa: ANN401  # any YAML
    whole = _TOKEN.fullmatch(text)
    if whole:
        return bound[int(whole[1])]
    return _TOKEN.sub(lambda match: _word(bound[int(match[1])]), text)


def _key(key: str, bound: list[Any]) -> str:
    return _TOKEN.sub(lambda match: _word(bound[int(match[1])]), key) if "⟦" in key else key


def _word(value: object) -> str:
    """Only text and whole numbers may stand inside a longer text or be a key."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TemplateError(f"a {type(value).__name__} inside a longer text")
    return str(value)
