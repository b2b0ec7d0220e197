"""Texts within a text: what an address or base64 hides from whoever looks for a word."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

_WORD = re.compile(r"[^\s\"'<>]++")
# What parts a name from its value, an address from its password, and a token from its prefix.
_ESCAPED = re.compile(r"%(?:25)*+(?:3[ADad]|40|22|5[Ff]|2[DFdf])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,}+={0,2}")
_TIMES = 3
"""So often escapes may have been escaped again."""


class Wrapped(NamedTuple):
    """What stands between two places of a text, and what it says once it is unwrapped."""

    start: int
    end: int
    inner: str


def wrapped(text: str) -> Iterator[Wrapped]:
    """Words with escapes as addresses have them, and texts in base64."""
    for match in _WORD.finditer(text) if "%" in text else ():
        if _ESCAPED.search(match[0]):
            yield Wrapped(*match.span(), _unescaped(match[0]))
    for match in _BASE64.finditer(text):
        if inner := _decoded(match[0]):
            yield Wrapped(*match.span(), inner)


def _unescaped(word: str) -> str:
    for _ in range(_TIMES):
        word = unquote(word)
    return word


def _decoded(word: str) -> str:
    """The text in base64; nothing where there are other bytes, as in a digest."""
    plain = word.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
