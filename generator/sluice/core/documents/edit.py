"""Change a value in a YAML text and leave every other byte as it is.

The places are the reader's own, and what comes out is read again: a text that does not say what was
intended is refused and never written.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from sluice.core.documents.emit import text
from sluice.core.documents.load import load
from sluice.core.documents.nodes import compose, describe, walk_scalars
from sluice.core.finding import FindingsError, UsageError

Path = tuple[str, ...]


def set_text(raw: bytes, path: Path, value: str) -> bytes:
    """Set the text at a path; a key that is missing is added at the end of its mapping.

    The text must be valid YAML and hold a mapping at the path's parent.
    """
    mark, source = _split(raw)
    parent = _node(_compose(source), path[:-1])
    entry = _entry_at(parent, path[-1])
    if entry is None:
        changed = _inserted(source, parent, path[-1], value)
    else:
        changed = _replaced(source, entry[0], entry[1], value)
    return _reread(raw, (mark + changed).encode(), path, value)


def set_texts(raw: bytes, values: Sequence[tuple[Path, str]]) -> bytes:
    """Set several texts; where all of them are there, the text is read once for all of them."""
    mark, source = _split(raw)
    root = _compose(source)
    found = [(_entry_at(_node(root, path[:-1]), path[-1]), value) for path, value in values]
    entries = [(*entry, value) for entry, value in found if entry is not None]
    if len(entries) < len(values):
        for path, value in values:
            raw = set_text(raw, path, value)
        return raw
    for key, node, value in sorted(entries, key=lambda one: -one[0].start_mark.index):
        source = _replaced(source, key, node, value)
    changed = (mark + source).encode()
    data = _copy(raw)
    for path, value in values:
        _parent(data, path)[path[-1]] = value
    return _compared(changed, data, values[0][0] if values else ())


def append_text(raw: bytes, path: Path, value: str) -> bytes:
    """Add a text to the list at a path; a list that is missing is added to its mapping."""
    mark, source = _split(raw)
    parent = _node(_compose(source), path[:-1])
    entry = _entry_at(parent, path[-1])
    if entry is None:
        changed = _inserted(source, parent, path[-1], value, listed=True)
    else:
        changed = _appended(source, entry[1], value)
    data = _copy(raw)
    _parent(data, path).setdefault(path[-1], []).append(value)
    return _compared((mark + changed).encode(), data, path)


def _reread(raw: bytes, changed: bytes, path: Path, value: str) -> bytes:
    data = _copy(raw)
    _parent(data, path)[path[-1]] = value
    return _compared(changed, data, path)


def _copy(raw: bytes) -> dict[str, Any]:
    return copy.deepcopy(dict(load("release.yaml", raw).data))


def _parent(data: dict[str, Any], path: Path) -> dict[str, Any]:
    for part in path[:-1]:
        data = data[part]
    return data


def _compared(changed: bytes, intended: Mapping[str, Any], path: Path) -> bytes:
    """The text, if the reader takes it for the data that was intended.

    Raises:
        UsageError: when it does not; nothing is written then.
    """
    try:
        is_right = load("release.yaml", changed).data == intended
    except FindingsError:
        is_right = False
    if not is_right:
        where = ".".join(path)
        raise UsageError(
            f"{where} cannot be changed in the layout that its file has: "
            "write the keys around it one a line, with their values behind them"
        )
    return changed


def _appended(source: str, node: Node, value: str) -> str:
    if not isinstance(node, SequenceNode):
        raise TypeError("only a list can be added to")
    if node.flow_style or not node.value:
        end = node.value[-1].end_mark.index if node.value else node.start_mark.index + 1
        separator = ", " if node.value else ""
        return f"{source[:end]}{separator}{text(value)}{source[end:]}"
    end = _line_end(source, node)
    newline = _newline(source)
    head = source[:end] if source[:end].endswith("\n") else source[:end] + newline
    return f"{head}{' ' * node.start_mark.column}- {text(value)}{newline}{source[end:]}"


def write_at(
    raw: bytes, line: int, column: int, value: str = "", *, literal: bool = False
) -> bytes:
    """Write another single value, or key, where one begins.

    Args:
        raw: valid YAML.
        line: counted from 1.
        column: likewise.
        value: what to write; nothing for the value that is there, as text.
        literal: whether it is a number or a truth, and no text.

    Raises:
        ValueError: when no single value begins there, or it goes over several lines.
    """
    mark, source = _split(raw)
    node = next((one for one in walk_scalars(_compose(source)) if _begins(one, line, column)), None)
    if node is None or node.start_mark.line != node.end_mark.line or node.style in ("|", ">"):
        raise ValueError(f"no single value begins at {line}:{column}")
    start, end = node.start_mark.index, node.end_mark.index
    said = value or str(node.value)
    spelled = said if literal else text(said) if value else f'"{said}"'
    if value and not literal and node.style in ("'", '"') and spelled == said:
        spelled = f"{node.style}{said}{node.style}"
    return (mark + source[:start] + spelled + source[end:]).encode()


def _begins(node: ScalarNode, line: int, column: int) -> bool:
    mark = node.start_mark
    return bool(
        mark.line == line - 1 and mark.column == column - 1 and node.end_mark.index > mark.index
    )


def remove(raw: bytes, path: Path) -> bytes:
    """Remove a key and its value, with the comment in its line; an absent key is no error."""
    if path[-1].encode() not in raw and b"\\" not in raw:  # no escapes, so a key stands as it is
        return raw
    mark, source = _split(raw)
    parent = _node(_compose(source), path[:-1])
    names = [key.value for key, _ in parent.value]
    if path[-1] not in names:
        return raw
    cut = _entry if parent.flow_style else _lines
    start, end = cut(source, parent, names.index(path[-1]))
    only = not parent.flow_style and len(names) == 1
    instead = " " * parent.start_mark.column + "{}" + _newline(source) if only else ""
    changed = (mark + source[:start] + instead + source[end:]).encode()
    data = _copy(raw)
    del _parent(data, path)[path[-1]]
    return _compared(changed, data, path)


def _split(raw: bytes) -> tuple[str, str]:
    """The byte order mark, which the reader does not count, and the text."""
    source = raw.decode()
    return ("\ufeff", source[1:]) if source.startswith("\ufeff") else ("", source)


def _compose(source: str) -> Node | None:
    try:
        return compose(source)
    except yaml.YAMLError as error:
        (line, column), words = describe(error, source)
        raise UsageError(f"line {line}, column {column} cannot be changed: {words}") from None


def _node(root: Node | None, path: Path) -> MappingNode:
    node: Any = root
    for part in path:
        node = next(value for key, value in node.value if key.value == part)
    if not isinstance(node, MappingNode):
        raise TypeError(f"{'.'.join(path)} is not a mapping")
    return node


def _entry_at(parent: MappingNode, key: str) -> tuple[Node, Node] | None:
    return next((entry for entry in parent.value if entry[0].value == key), None)


def _replaced(source: str, key: Node, node: Node, value: str) -> str:
    if not isinstance(node, ScalarNode):
        raise TypeError("only a single value can be replaced")
    start, end = node.start_mark.index, node.end_mark.index
    spelled = text(value)
    if node.style == '"' and not spelled.startswith('"'):
        spelled = f'"{value}"'
    elif node.style in ("|", ">"):
        old = source[start:end]
        spelled += old[len(old.rstrip()) :]
    elif start == end:
        start, spelled = _beside(source, key, node, spelled)
        end = start
    return source[:start] + spelled + source[end:]


def _beside(source: str, key: Node, node: Node, spelled: str) -> tuple[int, str]:
    """Where a value goes that was absent, and how: a key in braces may have no colon."""
    gap = source[key.end_mark.index : node.start_mark.index]
    if gap.lstrip().startswith(":"):  # and not one of a comment
        return key.end_mark.index + gap.index(":") + 1, f" {spelled}"
    return key.end_mark.index, f": {spelled}"


def _inserted(
    source: str, parent: MappingNode, key: str, value: str, *, listed: bool = False
) -> str:
    entry = f"{text(key)}: {f'[{text(value)}]' if listed else text(value)}"
    if not parent.value:
        start = parent.start_mark.index + 1
        return f"{source[:start]}{entry}{source[start:]}"
    last_key, last = parent.value[-1]
    if parent.flow_style:
        end = last.end_mark.index
        return f"{source[:end]}, {entry}{source[end:]}"
    indent = " " * last_key.start_mark.column
    end = _line_end(source, _written(last_key, last))
    newline = _newline(source)
    head = source[:end] if source[:end].endswith("\n") else source[:end] + newline
    return f"{head}{indent}{entry}{newline}{source[end:]}"


def _newline(source: str) -> str:
    return "\r\n" if "\r\n" in source else "\n"


def _lines(source: str, parent: MappingNode, index: int) -> tuple[int, int]:
    key, node = parent.value[index]
    return source.rfind("\n", 0, key.start_mark.index) + 1, _line_end(source, _written(key, node))


def _entry(source: str, parent: MappingNode, index: int) -> tuple[int, int]:
    """From a key of a flow mapping to the next one; the last goes with the comma before it."""
    key, node = parent.value[index]
    if len(parent.value) == 1:
        return key.start_mark.index, parent.end_mark.index - 1
    if index + 1 < len(parent.value):
        return key.start_mark.index, parent.value[index + 1][0].start_mark.index
    before = parent.value[index - 1][1].end_mark.index
    if not source[before : key.start_mark.index].strip(" ,\r\n"):
        return before, node.end_mark.index
    comma = re.compile(r"\s*,?").match(source, node.end_mark.index)
    return key.start_mark.index, comma.end() if comma else node.end_mark.index


def _written(key: Node, node: Node) -> Node:
    """The value, or its key where there is no value: the reader says that it is further on."""
    return key if node.start_mark.index == node.end_mark.index else node


def _line_end(source: str, node: Node) -> int:
    """Where the line after a node begins; block nodes end where others begin."""
    while isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = _written(*last) if isinstance(last, tuple) else last
    last_character = max(int(node.end_mark.index) - 1, int(node.start_mark.index))
    end = source.find("\n", last_character)
    return len(source) if end < 0 else end + 1
