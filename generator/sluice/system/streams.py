"""The two streams that Sluice prints to, by which nothing leaves that a reader would obey."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from sluice.core.outgoing import printable


class Outlet(io.TextIOBase):
    """A stream of text that passes on what may be printed, whatever the one beneath can spell."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, beneath: TextIO) -> None:
        self._beneath = beneath
        self.orders = False
        """Whether lines that a CI system obeys are meant: those of a report in its format."""

    def write(self, text: str, /) -> int:
        """Write a text of whole lines, or of a part of one."""
        encoding = self._beneath.encoding or self.encoding
        shown = printable(text, orders=self.orders).encode(encoding, self.errors)
        self._beneath.write(shown.decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._beneath.flush()

    def writable(self) -> bool:
        """Whether it can be written to, for those who ask a stream."""
        return True

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._beneath.isatty()

    def fileno(self) -> int:
        """The number of the stream beneath."""
        return self._beneath.fileno()

    @property
    def buffer(self) -> BinaryIO:
        """The bytes beneath, for documents that are no text for a terminal."""
        return self._beneath.buffer


@contextmanager
def open_outlets() -> Iterator[None]:
    """Print through outlets from here on."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Outlet(before[0]), Outlet(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def print_orders() -> None:
    """Let stdout give orders to a CI system from here on."""
    if isinstance(sys.stdout, Outlet):
        sys.stdout.orders = True
