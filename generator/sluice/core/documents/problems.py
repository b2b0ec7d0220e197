"""A spec by the reader that knows lines and columns: its data, or all that it must not hold."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.tokens import AliasToken, AnchorToken, DirectiveToken, KeyToken, TagToken, Token

from sluice.core.documents.depth import first_deeper
from sluice.core.documents.limits import SPEC
from sluice.core.documents.nodes import (
    PLAIN,
    children,
    compose,
    describe,
    position,
    walk_scalars,
)
from sluice.core.documents.scalars import read_core


class Problem(NamedTuple):
    """Something that a spec must not hold."""

    rule: str
    line: int
    column: int
    message: str
    help: str


_FORBIDDEN = {
    AnchorToken: "an anchor",
    AliasToken: "an alias",
    TagToken: "a tag",
    DirectiveToken: "a directive",
}
_SEVERAL = "found another document"

# Plain scalars that YAML 1.1 readers (many Kubernetes tools) and YAML 1.2 readers take differently.
_AMBIGUOUS = re.compile(
    r"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|=|<<"
    r"|[-+]?0[0-9_]+|0o[0-7]+|0b[01_]+|0x[0-9A-Fa-f_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)[eE][-+]?[0-9_]+"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?"
)


def read(text: str) -> tuple[Any, list[Problem]]:
    """The data of a spec, or what is wrong with it; never both.

    A text is read as if it ended with a line break, so that one more at its end changes nothing.
    """
    text = text if text.endswith("\n") else f"{text}\n"
    try:
        if problem := _find_depth(text) or _find_forbidden(text):
            return None, [problem]
        root = compose(text)
    except yaml.YAMLError as error:
        return None, [_name_syntax(error, text)]
    if root is None:
        return None, []
    problems = list(_find_duplicates(root)) or list(_find_ambiguous(root))
    problems = problems or list(_find_odd_keys(root))
    return (None, problems) if problems else (_build(root), [])


def _find_depth(text: str) -> Problem | None:
    place = first_deeper(text, SPEC.depth)
    message = f"nested more than {SPEC.depth} levels deep"
    return Problem("YAML009", *place, message, "flatten it") if place else None


def _find_forbidden(text: str) -> Problem | None:
    """The first part of YAML that specs do not use."""
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        what = _name_forbidden(token)
        if what:
            place = position(token.start_mark)
            remedy = "write the value out: specs hold values only, and each has one place"
            return Problem("YAML005", *place, f"{what} in a spec", remedy)
    return None


def _name_forbidden(token: Token) -> str | None:
    if isinstance(token, KeyToken):  # a key without a question mark takes no room of its own
        has_mark = token.end_mark.index > token.start_mark.index
        return "a question mark before a key" if has_mark else None
    return _FORBIDDEN.get(type(token))


def _name_syntax(error: yaml.YAMLError, text: str) -> Problem:
    (line, column), words = describe(error, text)
    if _SEVERAL in words:
        message = "a second document begins here, where one is expected"
        return Problem("YAML004", line, column, message, "put it into a file of its own")
    return Problem("YAML003", line, column, words, "correct the YAML")


def _find_duplicates(node: Node) -> Iterator[Problem]:
    if isinstance(node, MappingNode):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line, column = position(key.start_mark)
            name = str(key.value)
            if isinstance(key, ScalarNode) and name in lines:
                message = f"the key {name!r} stands twice, first in line {lines[name]}"
                yield Problem("YAML008", line, column, message, "keep one of them")
            lines.setdefault(name, line)
    for part in children(node):
        yield from _find_duplicates(part)


def _find_ambiguous(root: Node) -> Iterator[Problem]:
    """Unquoted values that not every reader takes for the same thing."""
    for scalar in walk_scalars(root):
        if scalar.tag == PLAIN and _AMBIGUOUS.fullmatch(scalar.value):
            message = f"{scalar.value} means different things to different YAML readers"
            remedy = f'write "{scalar.value}" for the text, or true, false or a decimal number'
            yield Problem("YAML006", *position(scalar.start_mark), message, remedy)


def _find_odd_keys(node: Node) -> Iterator[Problem]:
    """Keys that are no text: lists, mappings, numbers, truths, nothing."""
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            name = _build(key)
            if not isinstance(name, str):
                place = position(key.start_mark)
                message = f"the key {name!r} is not text"
                yield Problem("YAML010", *place, message, "put it in quotes")
    for part in children(node):
        yield from _find_odd_keys(part)


def _build(node: Node) -> Any:  # noqa: ANN401  # any YAML
    if isinstance(node, MappingNode):
        return {_name(key): _build(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_build(item) for item in node.value]
    return read_core(node.value) if node.tag == PLAIN else node.value


def _name(key: Node) -> object:
    """A key that can be looked up, whatever it is."""
    name = _build(key)
    return name if isinstance(key, ScalarNode) else str(name)
