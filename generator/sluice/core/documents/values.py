"""Trees to the values that the cluster's tools make of them, with every alias written out."""

from typing import Any

from yaml.nodes import Node, ScalarNode, SequenceNode

from sluice.core.documents.limits import Limits
from sluice.core.documents.nodes import PLAIN, Position, count_values, position
from sluice.core.documents.scalars import read_cluster, spell_key

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset(("!", f"{_TAG}str", f"{_TAG}timestamp"))
_RESOLVED = frozenset((PLAIN, *(f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float"))))
_COLLECTIONS = frozenset(("!", f"{_TAG}map", f"{_TAG}seq"))


class RefusedError(Exception):
    """What cannot be read, at its position in the text."""

    def __init__(self, at: Position, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.position, self.rule, self.message, self.remedy = at, rule, message, remedy


def spell(key: ScalarNode) -> str | None:
    """The text that a key is for the cluster's tools; None for one that is nothing."""
    value = str(key.value)
    return spell_key(value) if key.tag == PLAIN else value


class Builder:
    """Makes the values of documents, and collects keys that stand twice."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._duplicates: list[RefusedError] = []

    def take_duplicates(self) -> list[RefusedError]:
        """The keys that stood twice since this was last called."""
        taken, self._duplicates = self._duplicates, []
        return taken

    def build(self, root: Node) -> Any:  # noqa: ANN401  # any YAML
        """The value of a document.

        Raises:
            RefusedError: when there is too much of it, or what JSON cannot say.
        """
        if count_values(root) > self.limits.values:
            message = f"aliases make more than {self.limits.values:,} values of it"
            raise RefusedError(
                position(root.start_mark), "YAML012", message, "write it out, or split the file"
            )
        return self._value(root, 1)

    def _value(self, node: Node, depth: int) -> Any:  # noqa: ANN401  # any YAML
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if depth > self.limits.depth:
            message = f"more than {self.limits.depth} levels, aliases included"
            raise RefusedError(position(node.start_mark), "YAML012", message, "write it out")
        if node.tag not in _COLLECTIONS:
            raise _refuse_tag(node)
        if isinstance(node, SequenceNode):
            return [self._value(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag == PLAIN and key.value == "<<":
                for part in self._merged(value, depth):
                    merged = {**part, **merged}
                continue
            name = _name(key)
            if name in entries:
                self._duplicates.append(
                    RefusedError(
                        position(key.start_mark),
                        "YAML008",
                        f"the key {name[:60]!r} stands twice",
                        "keep one of them",
                    )
                )
            entries[name] = self._value(value, depth + 1)
        return {**merged, **entries} if merged else entries

    def _merged(self, node: Node, depth: int) -> list[dict[str, Any]]:
        value = self._value(node, depth + 1)
        parts = value if isinstance(value, list) else [value]
        return [part for part in parts if isinstance(part, dict)]


def _name(key: Node) -> str:
    name = spell(key) if isinstance(key, ScalarNode) else None
    if name is None:
        at = position(key.start_mark)
        raise RefusedError(at, "YAML010", "a key that is not text", "use a plain key")
    return name


def _scalar(node: ScalarNode) -> object:
    if node.tag in _RESOLVED:
        return read_cluster(node.value)
    if node.tag not in _TEXTS:
        raise _refuse_tag(node)
    return node.value


def _refuse_tag(node: Node) -> RefusedError:
    kind = node.tag.removeprefix(_TAG)[:60]
    message = f"a value of the type {kind}, which JSON does not have"
    return RefusedError(position(node.start_mark), "YAML005", message, "write it as text")
