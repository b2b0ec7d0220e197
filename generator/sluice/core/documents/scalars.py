"""What plain scalars are: numbers, truths and nothing, by two schemas.

`read_core` is the core schema of YAML 1.2, by which specs are read. What YAML 1.1 takes for
something else is refused in a spec before, so that every reader of it agrees.

`read_cluster` is what kubectl, Argo CD and the API server take a plain scalar for. They read by one
library of Go with the words of YAML 1.1: `y`, `yes` and `on` are truths, `0777` is octal, `1e3` is
a number, while `1:30` and dates are text. A key is text for them, whatever it looks like: the word
for the number or the truth. What JSON cannot say (`.inf`, `.nan`) stays text here.
"""

import re
from decimal import Decimal

NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_TRUTHS = {
    spelling: truth
    for word, truth in (("true", True), ("false", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_YES, _NO = ("y", "yes", "on"), ("n", "no", "off")
_CLUSTER_TRUTHS = _TRUTHS | {
    spelling: word in _YES
    for word in (*_YES, *_NO)
    for spelling in (word, word.capitalize(), word.upper())
}
_CORE_INTEGER = re.compile(r"[-+]?[0-9]+")
_CORE_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CLUSTER_INTEGER = re.compile(r"([-+]?)(?:0b([01]+)|0x([0-9A-Fa-f]+)|0o?([0-7]+)|([0-9]+))")
_CLUSTER_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_LONGEST_INTEGER = 25
_LARGEST = 1 << 64

Scalar = str | int | float | bool | None


def read_core(text: str) -> Scalar:
    """What a plain scalar of a spec is."""
    if text in NOTHING:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if _CORE_INTEGER.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else float(text)
    if _CORE_FLOAT.fullmatch(text):
        return float(text)
    if endless := _ENDLESS.fullmatch(text):
        return float(text.replace(".", "")) if endless[1] is not None else float("nan")
    return text


def read_cluster(text: str) -> Scalar:
    """What a plain scalar of an object is for the cluster's tools."""
    if text in NOTHING:
        return None
    if text in _CLUSTER_TRUTHS:
        return _CLUSTER_TRUTHS[text]
    if text[0] in "+-.0123456789":
        return _read_number(text)
    return text


def _read_number(text: str) -> int | float | str:
    digits = text.replace("_", "")
    integer = _CLUSTER_INTEGER.fullmatch(digits)
    if integer and len(digits) <= _LONGEST_INTEGER:
        sign, *numerals = integer.groups()
        base, numeral = next((b, n) for b, n in zip((2, 16, 8, 10), numerals, strict=True) if n)
        number = int(numeral, base) * (-1 if sign == "-" else 1)
        return number if abs(number) < _LARGEST else float(number)
    return float(digits) if _CLUSTER_FLOAT.fullmatch(digits) else text


def spell_key(text: str) -> str | None:
    """The text that a plain key is for the cluster's tools; None for one that is nothing."""
    key = read_cluster(text)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float):
        return str(int(key)) if key == int(key) else format(Decimal(repr(key)), "f")
    return None if key is None else str(key)
