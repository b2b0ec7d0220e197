"""Hearing of errors that nobody foresaw, wherever they are caught."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sluice.core.unforeseen import LOG


class _Hearing(logging.Handler):
    def __init__(self, count: Callable[[str], object], tell: Callable[[str], object]) -> None:
        super().__init__()
        self._count, self._tell = count, tell

    def emit(self, record: logging.LogRecord) -> None:
        """Count it, and tell it where it is new."""
        self._count(str(getattr(record, "place", "elsewhere")))
        if record.levelno >= logging.ERROR:
            self._tell(record.getMessage())


@contextmanager
def listen_for_defects(
    count: Callable[[str], object], tell: Callable[[str], object]
) -> Iterator[None]:
    """Hear of each error while the block runs.

    Args:
        count: gets what was dealt with, each time.
        tell: gets the error with its trace, the first time.
    """
    handler = _Hearing(count, tell)
    LOG.addHandler(handler)
    LOG.propagate = False
    try:
        yield
    finally:
        LOG.propagate = True
        LOG.removeHandler(handler)
