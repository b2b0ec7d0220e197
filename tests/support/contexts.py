"""What the templates are really filled with, and the same with every text replaced."""

import dataclasses
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import jinja2
from jinja2 import nodes

from sluice.core.finding import FindingsError
from sluice.core.workload.bind import Templates
from sluice.system import resources
from sluice.workspace.workspace import Workspace
from support import hostile, trees

Replace = Callable[[str], str]


class Recorder(Templates):
    """Templates that remember what they were asked to render."""

    def __init__(self) -> None:
        super().__init__(resources.read_templates)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def render(self, name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any YAML
        self.asked.append((name, values))
        return super().render(name, values)


@cache
def recorded() -> dict[str, list[Mapping[str, Any]]]:
    """The values of each template, from every valid case and the reference environments."""
    recorder = Recorder()
    cases = [trees.case(folder) for folder in trees.cases("valid")]
    for files in (*cases, trees.reference().files):
        workspace = Workspace(files)
        workspace.tools.renderer._templates = recorder
        with suppress(FindingsError):  # a case that is not valid fails where cases are tested
            workspace.render()
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, values in recorder.asked:
        found.setdefault(name, []).append(values)
    return found


class Replacement:
    """Numbers every text of a context; gives each a placeholder, or something hostile.

    A key keeps its number beside the hostile text, since two keys must not become one.
    """

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self.texts: dict[str, str] = {}

    def value(self, _: str) -> str:
        text = hostile.text(self._source) or "empty"
        taken = text in self.texts.values()  # some values become keys, and two must not be one
        return self._added(f"{text}!{len(self.texts)}" if taken else text)

    def key(self, _: str) -> str:
        number = len(self.texts)
        text = hostile.text(self._source)
        return self._added(
            f"{number};{text}" if self._source.random() < 0.5 else f"{text}!{number}"
        )

    def _added(self, text: str) -> str:
        placeholder = f"placeholder{len(self.texts):04}"
        self.texts[placeholder] = text
        return placeholder

    def placed(self, text: str) -> str:
        """The text with each placeholder in it replaced by what it stands for."""
        start = text.find("placeholder")
        if start < 0:
            return text
        end = start + len("placeholder0000")
        return text[:start] + self.texts[text[start:end]] + self.placed(text[end:])


def mapped(node: Any, value: Replace, key: Replace) -> Any:  # noqa: ANN401  # any YAML
    """The same structure with every text and every key of it replaced."""
    if isinstance(node, str):
        return value(node) if node else node  # nothing stays nothing: templates ask for it
    if isinstance(node, Mapping):
        return {key(name): mapped(inner, value, key) for name, inner in node.items()}
    if isinstance(node, list | tuple):
        return [mapped(item, value, key) for item in node]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
        return dataclasses.replace(node, **_fields(fields, value))
    return node


def _fields(fields: Mapping[str, Any], value: Replace) -> dict[str, Any]:
    """Catalog entries: the keys of their mappings are names that templates use."""
    return {name: mapped(inner, value, str) for name, inner in fields.items()}


def context(values: Mapping[str, Any], value: Replace, key: Replace) -> dict[str, Any]:
    """A whole context; what templates name stays as it is."""
    named = attributes()
    return {
        name: mapped(inner, value, lambda word: word if word in named else key(word))
        for name, inner in values.items()
    }


@cache
def attributes() -> frozenset[str]:
    """Every word that stands after a dot in a template."""
    environment = jinja2.Environment(autoescape=True)
    trees_ = map(environment.parse, resources.read_templates().values())
    return frozenset(node.attr for tree in trees_ for node in tree.find_all(nodes.Getattr))
