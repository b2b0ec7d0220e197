"""Answers come as they are: what is compressed may be a thousand times as large as what came."""

from collections.abc import Mapping
from typing import Protocol

PLAIN: Mapping[str, str] = {"Accept-Encoding": "identity"}
"""What every request says, so that a server that heeds it never compresses."""


class Encoded(Protocol):
    """An answer of which the headers have come."""

    @property
    def headers(self) -> Mapping[str, str]: ...


class CompressedError(ValueError):
    """An answer is compressed although nobody asked for that."""


def refuse_encoding(answer: Encoded) -> None:
    """Refuse an answer that is compressed, before it is read.

    Raises:
        CompressedError: it is.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise CompressedError("the answer is compressed, which was not asked for")
