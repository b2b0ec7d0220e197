"""Plain manifests of the world: a directory of YAML files becomes objects with positions.

They are read as the cluster's own tools read them: several documents in a file, YAML 1.1 booleans
and octal numbers, anchors and merge keys; lists of objects are taken apart.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sluice import files
from sluice.core.checks.references import link
from sluice.core.documents.depth import Position, first_deeper
from sluice.core.finding import Finding, Place, Severity, UsageError
from sluice.core.kubernetes.rules.problem import Pointer, Problem

FILE_LIMIT = 8 << 20
"""Bytes of one file; the largest bundles of custom resource definitions have about five million."""
NODE_LIMIT = 1_000_000
"""Values in one file, with every alias written out."""
DEPTH_LIMIT = 100


class Mark(Protocol):
    """Where a node begins; the readers' own marks share no type."""

    line: int
    column: int


_SUFFIXES = (".yaml", ".yml", ".json")
_NESTED = re.compile(rb"(?:[-?:][ \t]+){32}|^ {128}", re.MULTILINE)
_INTEGER = re.compile(r"([-+]?)(?:0b([01]+)|0x([0-9A-Fa-f]+)|0o?([0-7]+)|([0-9]+))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_TAG = "tag:yaml.org,2002:"
_TRUE = ("yes", "true", "on", "y")
_LONGEST_INTEGER = 25


@dataclass(frozen=True)
class Loaded:
    """One object of a file; `prefix` is where it stands in its document."""

    path: str
    data: dict[str, Any]
    node: Node
    prefix: Pointer = ()

    def place(self, pointer: Pointer = ()) -> Place:
        """The place of a value: of its key where it is a mapping or a list."""
        node, key = self.node, self.node
        for part in (*self.prefix, *pointer):
            found = _child(node, part)
            if found is None:
                break
            key, node = found
        return _place(self.path, _mark(node if isinstance(node, ScalarNode) else key))


@dataclass
class Manifests:
    """What a directory holds, and what is wrong with the rest."""

    objects: list[Loaded] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def pairs(self) -> list[tuple[str, object]]:
        """The objects as the rules about them take them."""
        return [(loaded.path, loaded.data) for loaded in self.objects]

    def located(self, problems: Iterable[Problem]) -> list[Finding]:
        """Problems of these objects as findings in their files."""
        return [
            Finding(
                self.objects[problem.position].place(problem.pointer),
                problem.rule,
                problem.message,
                problem.help,
                problem.severity,
            )
            for problem in problems
        ]


class _RefusedError(Exception):
    def __init__(self, mark: Mark | None, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.mark, self.rule, self.message, self.remedy = mark, rule, message, remedy


def read_manifests(directory: Path) -> Manifests:
    """Every object in the YAML and JSON files below a directory; links are not followed.

    Raises:
        UsageError: when there is no such directory.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory")
    tree = files.read(directory, ["."], FILE_LIMIT)
    manifests = Manifests(findings=[link(_relative(path)) for path in tree.links])
    for path, raw in sorted(tree.files.items()):
        if path.endswith(_SUFFIXES):
            parse_manifests(_relative(path), raw, manifests)
    return manifests


def parse_manifests(path: str, raw: bytes, manifests: Manifests) -> None:
    """Add the objects of one file, or findings about it."""
    if len(raw) > FILE_LIMIT:
        message = f"the file has more than {FILE_LIMIT:,} bytes"
        manifests.findings.append(Finding(Place(path), "YAML001", message, "split it"))
        return
    try:
        if deep := _too_deep(raw):
            message = f"nested more than {DEPTH_LIMIT} levels deep"
            manifests.findings.append(Finding(Place(path, *deep), "YAML009", message, "flatten it"))
            return
        reader = _Reader(path, manifests.findings)
        for document in yaml.compose_all(raw, Loader=yaml.CSafeLoader):
            if document is not None:
                _add(path, document, reader.value(document, 0), manifests)
    except _RefusedError as error:
        place = _place(path, error.mark)
        manifests.findings.append(Finding(place, error.rule, error.message, error.remedy))
    except yaml.YAMLError as error:
        manifests.findings.append(_unreadable(path, error))


def _relative(path: str) -> str:
    return path.removeprefix("./")


def _add(path: str, document: Node, data: object, manifests: Manifests) -> None:
    for prefix, item in _items(data) if data is not None else ():
        if isinstance(item.get("apiVersion"), str) and isinstance(item.get("kind"), str):
            manifests.objects.append(Loaded(path, item, document, prefix))
        else:
            message = "no Kubernetes object: apiVersion or kind is missing"
            place = Loaded(path, item, document, prefix).place()
            note = Finding(place, "YAML013", message, "keep other files elsewhere", Severity.NOTE)
            manifests.findings.append(note)


def _items(data: object) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    if not isinstance(data, dict):
        yield (), {}
        return
    items, kind = data.get("items"), data.get("kind")
    if isinstance(items, list) and isinstance(kind, str) and kind.endswith("List"):
        for index, item in enumerate(items):
            yield ("items", index), item if isinstance(item, dict) else {}
    else:
        yield (), data


class _Reader:
    """Nodes to values, counting what aliases multiply."""

    def __init__(self, path: str, findings: list[Finding]) -> None:
        self._path, self._findings, self._left = path, findings, NODE_LIMIT

    def value(self, node: Node, depth: int) -> Any:  # noqa: ANN401  # any YAML
        """The data of a node.

        Raises:
            _RefusedError: when there is too much of it, or what JSON cannot say.
        """
        self._left -= 1
        if self._left < 0 or depth > DEPTH_LIMIT:
            message = f"more than {NODE_LIMIT:,} values or {DEPTH_LIMIT} levels, aliases included"
            raise _RefusedError(_mark(node), "YAML012", message, "write it out, or split the file")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return _scalar(cast("ScalarNode", node))

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise _RefusedError(
                    _mark(key), "YAML010", "a key that is not text", "use a plain key"
                )
            if key.tag == f"{_TAG}merge":
                for part in self._merged(value, depth):
                    merged = {**part, **merged}
                continue
            if key.value in own:
                message = f"the key {key.value[:60]!r} stands twice"
                place = _place(self._path, _mark(key))
                self._findings.append(Finding(place, "YAML008", message, "keep one of them"))
            own[key.value] = self.value(value, depth + 1)
        return {**merged, **own} if merged else own

    def _merged(self, node: Node, depth: int) -> list[dict[str, Any]]:
        value = self.value(node, depth + 1)
        parts = value if isinstance(value, list) else [value]
        return [part for part in parts if isinstance(part, dict)]


def _scalar(node: ScalarNode) -> object:
    said: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return said.lower() in _TRUE
    if kind in ("int", "float"):
        return _number(said)
    if kind not in ("str", "timestamp", "value", "binary", "merge"):
        raise _RefusedError(
            _mark(node), "YAML005", f"a tag: {node.tag[:60]}", "write the value out"
        )
    return said


def _number(said: str) -> int | float | str:
    """A number as Go reads it; what it does not take for one (1:30, .nan) stays text."""
    plain = said.replace("_", "")
    match = _INTEGER.fullmatch(plain)
    if match and len(plain) <= _LONGEST_INTEGER:
        sign, *digits = match.groups()
        base, text = next((b, d) for b, d in zip((2, 16, 8, 10), digits, strict=True) if d)
        return int(text, base) * (-1 if sign == "-" else 1)
    return float(plain) if _FLOAT.fullmatch(plain) else said


def _too_deep(raw: bytes) -> Position | None:
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_LIMIT and not _NESTED.search(raw):
        return None
    return first_deeper(raw, DEPTH_LIMIT)


def _child(node: Node, part: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        pairs = [(key, value) for key, value in node.value if key.value == part]
        return pairs[-1] if pairs else None
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _mark(node: Node) -> Mark | None:
    return node.start_mark


def _place(path: str, mark: Mark | None) -> Place:
    return Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)


def _unreadable(path: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0] or "not YAML"
    return Finding(_place(path, mark), "YAML003", problem, "correct the YAML")
