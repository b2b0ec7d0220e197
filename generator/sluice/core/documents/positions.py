"""What the slow YAML reader knows: lines, columns, and what readers of YAML disagree about."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.tokens import AliasToken, AnchorToken, DirectiveToken, TagToken

from sluice.core.documents.depth import Position, first_deeper


class Mark(NamedTuple):
    """Where a key and where its value begin."""

    key: Position
    value: Position


class SyntaxProblem(NamedTuple):
    """Something that a spec must not hold."""

    rule: str
    line: int
    column: int
    message: str
    help: str


DEPTH_LIMIT = 64

Marks = dict[tuple[str | int, ...], Mark]

_FORBIDDEN = {
    AnchorToken: "an anchor",
    AliasToken: "an alias",
    TagToken: "a tag",
    DirectiveToken: "a directive",
}

# Plain scalars that YAML 1.1 readers (many Kubernetes tools) and YAML 1.2 readers take differently.
_AMBIGUOUS = re.compile(
    r"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|=|<<"
    r"|[-+]?0[0-9_]+|0o[0-7]+|0b[01_]+|0x[0-9A-Fa-f_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?"
)


def marks_of(raw: bytes) -> Marks:
    """The position of every key and value, by pointer; empty where the text cannot be read."""
    try:
        node = yaml.compose(raw, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return {}
    marks: Marks = {}
    if node is not None:
        _walk(node, (), _position(node), marks)
    return marks


def second_document(raw: bytes) -> Position | None:
    """Where a second document begins, if there is one."""
    starts = 0
    try:
        for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                starts += 1
                if starts > 1:
                    return _at(event.start_mark)
    except yaml.YAMLError:
        pass
    return None


def oddities(raw: bytes) -> Iterator[SyntaxProblem]:
    """Syntax errors, duplicate keys, and the parts of YAML that specs do not use."""
    try:
        if deep := first_deeper(raw, DEPTH_LIMIT):
            yield SyntaxProblem(
                "YAML009", *deep, f"nested more than {DEPTH_LIMIT} levels deep", "flatten it"
            )
            return
        for token in yaml.scan(raw, Loader=yaml.CSafeLoader):
            what = _FORBIDDEN.get(type(token))
            if what:
                line, column = _at(token.start_mark)
                yield SyntaxProblem(
                    "YAML005",
                    line,
                    column,
                    f"{what} in a spec",
                    "write the value out: specs hold values only, and each has one place",
                )
                return
        node = yaml.compose(raw, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line, column = _at(error.problem_mark or error.context_mark)
        message = error.problem or "not YAML"
        yield SyntaxProblem("YAML003", line, column, message, "correct the YAML")
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        yield SyntaxProblem("YAML003", 1, 1, first, "correct the YAML")
    else:
        if node is not None:
            yield from _duplicates(node)


def ambiguous(raw: bytes) -> Iterator[SyntaxProblem]:
    """Unquoted values that not every reader takes for the same thing."""
    node = yaml.compose(raw, Loader=yaml.CSafeLoader)
    for scalar in _scalars(node) if node else ():
        if not scalar.style and _AMBIGUOUS.fullmatch(scalar.value):
            line, column = _position(scalar)
            yield SyntaxProblem(
                "YAML006",
                line,
                column,
                f"{scalar.value} means different things to different YAML readers",
                f'write "{scalar.value}" for the text, or true, false or a decimal number',
            )


def _position(node: Node) -> Position:
    return _at(node.start_mark)


def _at(mark: Any) -> Position:  # noqa: ANN401  # the readers' marks share no type
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _walk(node: Node, pointer: tuple[str | int, ...], key: Position, marks: Marks) -> None:
    marks[pointer] = Mark(key, _position(node))
    if isinstance(node, MappingNode):
        for name, value in node.value:
            _walk(value, (*pointer, str(name.value)), _position(name), marks)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*pointer, index), _position(value), marks)


def _duplicates(node: Node) -> Iterator[SyntaxProblem]:
    if isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line, column = _position(key)
            name = str(key.value)
            if name in seen:
                yield SyntaxProblem(
                    "YAML008",
                    line,
                    column,
                    f"the key {name!r} stands twice, first in line {seen[name]}",
                    "keep one of them",
                )
            seen.setdefault(name, line)
            yield from _duplicates(value)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _duplicates(value)


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _scalars(value)
