"""Objects to canonical YAML: one spelling for each value, the same to YAML 1.1 and 1.2 readers."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:@=+-]*(?<!:)")
_WORDS = frozenset(
    spelling
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    for spelling in (word, word.capitalize(), word.upper())
)
_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9_./:@=+-]*(?<!:)")
# Lines of plain characters that begin at the margin and end with one line break: a block scalar
# shows them as they are, and no reader folds, strips or indents them in another way.
_PAGE = re.compile(r"[!-~](?:[ -~]*[!-~])?\n(?:(?:[ -~]*[!-~])?\n)*(?<!\n\n)")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')

_cache: dict[str, str] = {}
_CACHE_LIMIT = 50_000


def emit(document: Mapping[str, Any], header: str = "") -> bytes:
    """One object as canonical YAML, in its own key order, with a comment line above it."""
    lines = [f"# {header}"] if header else []
    _mapping(document, "", lines)
    lines.append("")
    return "\n".join(lines).encode()


def unix_lines(content: bytes) -> bytes:
    """The same YAML or JSON with the ends of lines that we write: to its readers all are one."""
    return content.replace(b"\r\n", b"\n")


def scalar(value: object) -> str:
    """The canonical spelling of a string, number, truth value or nothing."""
    if isinstance(value, str):
        return text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    raise TypeError(f"no YAML for {type(value).__name__}")


def text(value: str) -> str:
    """A string: plain where every reader takes it for one, else in double quotes."""
    known = _cache.get(value)
    if known is None:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        known = _cache[value] = value if _is_plain(value) else _quoted(value)
    return known


def _is_plain(value: str) -> bool:
    return bool(_PLAIN.fullmatch(value) and value not in _WORDS) or bool(_FLAG.fullmatch(value))


def _quoted(value: str) -> str:
    return f'"{_SPECIAL.sub(_escaped, value)}"'


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")  # noqa: PLR2004  # the widths of YAML's escapes


def _float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # NaN
        raise ValueError("Kubernetes knows no infinite numbers")
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def _mapping(mapping: Mapping[str, Any], indent: str, lines: list[str]) -> None:
    for key, value in mapping.items():
        head = f"{indent}{text(key)}:"
        if isinstance(value, str):
            if "\n" in value and _PAGE.fullmatch(value):
                lines.append(f"{head} |")
                lines += [f"{indent}  {line}" if line else "" for line in value[:-1].split("\n")]
            else:
                lines.append(f"{head} {text(value)}")
        elif isinstance(value, Mapping):
            if value:
                lines.append(head)
                _mapping(value, indent + "  ", lines)
            else:
                lines.append(f"{head} {{}}")
        elif isinstance(value, list | tuple):
            if value:
                lines.append(head)
                _sequence(value, indent + "  ", lines)
            else:
                lines.append(f"{head} []")
        else:
            lines.append(f"{head} {scalar(value)}")


def _sequence(sequence: list[Any] | tuple[Any, ...], indent: str, lines: list[str]) -> None:
    for item in sequence:
        if isinstance(item, Mapping) and item:
            start = len(lines)
            _mapping(item, indent + "  ", lines)
            lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"
        elif isinstance(item, list | tuple) and item:
            start = len(lines)
            _sequence(item, indent + "  ", lines)
            lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"
        elif isinstance(item, Mapping | list | tuple):
            lines.append(f"{indent}- {'{}' if isinstance(item, Mapping) else '[]'}")
        else:
            lines.append(f"{indent}- {scalar(item)}")
