"""The reader that knows lines and columns: YAML 1.1's grammar without its guesses about types.

What a plain scalar is (a number, a truth, nothing) is told by whoever asks: specs by the core
schema of YAML 1.2, objects as the cluster's tools do. Tabs separate, and never indent.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Position = tuple[int, int]
"""Line and column, counted from 1."""
PLAIN = "plain"
"""The tag of a scalar without quotes and without a tag."""
_NOTHING_BEGINS = "character that cannot start any token"


class Loader(yaml.CSafeLoader):
    """Composes nodes only; every plain scalar has the tag PLAIN."""

    yaml_implicit_resolvers = {None: [(PLAIN, re.compile(""))]}  # noqa: RUF012  # the class's own form


def compose(text: str | bytes) -> Node | None:
    """The tree of the one document of a text; None when there is nothing in it.

    Raises:
        yaml.YAMLError: when it is not YAML, or holds several documents.
    """
    return yaml.compose(text, Loader=Loader)


def compose_all(text: str | bytes) -> Iterator[Node]:
    """The tree of each document of a text, one after the other.

    Raises:
        yaml.YAMLError: when the rest of it is not YAML.
    """
    return (node for node in yaml.compose_all(text, Loader=Loader) if node is not None)


def children(node: Node) -> list[Node]:
    """The keys and values of a mapping, or the items of a list."""
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def walk_scalars(root: Node | None) -> Iterator[ScalarNode]:
    """Every single value and key, in the order of the text."""
    left = [root] if root else []
    while left:
        node = left.pop()
        if isinstance(node, ScalarNode):
            yield node
        else:
            left += reversed(children(node))


def count_values(node: Node) -> int:
    """The values that a node stands for when every alias in it is written out."""
    return _count(node, {})


def _count(node: Node, counted: dict[int, int]) -> int:
    if isinstance(node, ScalarNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = 1  # for what holds itself, which its depth gives away
        counted[id(node)] = 1 + sum(_count(part, counted) for part in children(node))
    return counted[id(node)]


def position(mark: Any) -> Position:  # noqa: ANN401  # either of the reader's two classes
    """Where a mark is."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def describe(error: yaml.YAMLError, text: str) -> tuple[Position, str]:
    """Where a text is no YAML, and why."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = getattr(error, "problem", None) or str(error).partition("\n")[0] or "not YAML"
    if mark and _NOTHING_BEGINS in words and text[mark.index : mark.index + 1] == "\t":
        words = "a tab where YAML indents by spaces"
    return position(mark), words
