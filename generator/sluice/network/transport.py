"""What clients of others read from the network, within bounds that they do not set themselves.

Some read an answer whole before they look at it, and have no setting for how large it may be.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING

from sluice.network.encoding import PLAIN

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

LARGEST_ANSWER = 64 << 20
"""Bytes of one answer; a page of ten thousand versions has about ten million."""
LARGEST_CONVERSATION = 512 << 20
"""Bytes of all that is asked at once, however many pages it has."""
_PIECE = 1 << 16


class TooLargeError(Exception):
    """A server does not come to an end of what it says."""

    def __init__(self) -> None:
        super().__init__(
            f"does not come to an end of its answer within {LARGEST_ANSWER >> 20} MiB, or of all "
            f"of them within {LARGEST_CONVERSATION >> 20} MiB: look for what answers in its place"
        )


class _Allowance(threading.local):
    """How many bytes the conversation of this thread may still bring; None outside of one."""

    left: int | None = None


_allowance = _Allowance()


@contextmanager
def limit_conversation() -> Iterator[None]:
    """Bound all answers that are read inside together."""
    before = _allowance.left
    _allowance.left = LARGEST_CONVERSATION
    try:
        yield
    finally:
        _allowance.left = before


def bound_answers() -> None:
    """Read no answer without an end, ask for answers as they are, and inflate none.

    A few compressed bytes may stand for any memory.
    """
    from urllib3.response import HTTPResponse  # noqa: PLC0415  # slow: only when used

    HTTPResponse.CONTENT_DECODERS = []
    if not hasattr(HTTPResponse.read, "__wrapped__"):
        setattr(HTTPResponse, "read", _bound_read(HTTPResponse.read))  # noqa: B010  # no subclass
        setattr(HTTPResponse, "stream", _bound_stream(HTTPResponse.stream))  # noqa: B010  # as above


def ask_for_plain_answers() -> None:
    """Let the client that asks for compressed answers by itself ask for them as they are."""
    from requests import utils  # noqa: PLC0415  # slow: only when used

    setattr(utils, "DEFAULT_ACCEPT_ENCODING", PLAIN["Accept-Encoding"])  # noqa: B010  # is final


def _bound_read(read: Callable[..., bytes]) -> Callable[..., bytes]:
    """Bound the method by which some read the rest of a body at once."""

    @wraps(read)
    def read_bounded(
        answer: "HTTPResponse",
        amt: int | None = None,
        decode_content: bool | None = None,  # noqa: FBT001  # as the library calls it
        cache_content: bool = False,  # noqa: FBT001, FBT002  # as above
    ) -> bytes:
        if amt is not None and amt >= 0:
            return read(answer, amt, decode_content)
        content = bytearray()
        while piece := read(answer, _PIECE, decode_content):
            content += piece
            _count(answer, len(piece), len(content))
        if cache_content:
            answer._body = bytes(content)  # noqa: SLF001  # where `data` looks for it
        return bytes(content)

    return read_bounded


def _bound_stream(
    stream: Callable[..., Iterator[bytes]],
) -> Callable[..., Iterator[bytes]]:
    """Bound the method by which others read a body piece by piece, and then put it together."""

    @wraps(stream)
    def stream_bounded(
        answer: "HTTPResponse",
        amt: int | None = _PIECE,
        decode_content: bool | None = None,  # noqa: FBT001  # as the library calls it
    ) -> Iterator[bytes]:
        size = 0
        for piece in stream(answer, amt, decode_content):
            size += len(piece)
            _count(answer, len(piece), size)
            yield piece

    return stream_bounded


def _count(answer: "HTTPResponse", more: int, size: int) -> None:
    """Count what came.

    Raises:
        TooLargeError: it is too much; then the connection is closed, with whatever may come.
    """
    if _allowance.left is not None:
        _allowance.left -= more
    if size > LARGEST_ANSWER or (_allowance.left or 0) < 0:
        answer.close()
        raise TooLargeError
