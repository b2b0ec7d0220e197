"""Files that a command names, wherever they are."""

from pathlib import Path

from sluice.core.finding import UsageError


def read_bytes(file: str, limit: int) -> bytes:
    """A file that a command names, up to one byte more than a limit.

    Raises:
        UsageError: when it cannot be read.
    """
    try:
        with Path(file).open("rb") as opened:
            return opened.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
