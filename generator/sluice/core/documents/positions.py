"""Where the parts of a document stand in its text."""

from collections.abc import Callable
from typing import NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sluice.core.documents.nodes import Position, compose, position
from sluice.core.documents.source import Pointer

Spell = Callable[[ScalarNode], str | None]
"""The text that a key is for those who read such documents."""


class Spot(NamedTuple):
    """Where a part of a document begins, or its nearest ancestor that is there.

    Attributes:
        key: where its key begins; its own beginning for an item of a list.
        value: where it begins itself.
        is_there: whether it is the part itself.
        is_single: whether it is a text, a number, a truth or nothing.
    """

    key: Position
    value: Position
    is_there: bool
    is_single: bool


def find(root: Node, pointer: Pointer, spell: Spell) -> Spot:
    """Where a part of a document stands.

    Args:
        root: the tree of the document.
        pointer: the keys and numbers that lead to the part.
        spell: the text that a key is for the reader of such documents.
    """
    key = node = root
    is_there = True
    for step in pointer:
        pair = find_child(node, step, spell)
        if pair is None:
            is_there = False
            break
        key, node = pair
    start, begin = position(key.start_mark), position(node.start_mark)
    return Spot(start, begin, is_there, isinstance(node, ScalarNode))


def find_child(node: Node, step: str | int, spell: Spell) -> tuple[Node, Node] | None:
    """The key and the value of an entry, or an item of a list twice; the last of several."""
    if isinstance(node, MappingNode):
        for key, value in reversed(node.value):
            if isinstance(key, ScalarNode) and spell(key) == str(step):
                return key, value
    elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def spell(key: ScalarNode) -> str:
    """A key of a spec, where every key is text."""
    return str(key.value)


def compose_root(raw: bytes) -> Node | None:
    """The tree of a spec; None where the text cannot be read."""
    try:
        return compose(raw)
    except (yaml.YAMLError, UnicodeError):
        return None
