"""Files of policies and objects that a command names."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from sluice.core.documents.limits import OBJECTS
from sluice.core.documents.objects import Part, read_all
from sluice.core.finding import UsageError

_VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,3})(\.\S*)?")


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor version.

    Raises:
        UsageError: when the text is no version.
    """
    match = _VERSION.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is not a Kubernetes version such as 1.34")
    return int(match[1]), int(match[2])


def read_parts(paths: Iterable[str]) -> list[Part]:
    """Every object of the files; `-` is standard input."""
    return [part for path in paths for part in read_all(path, _read_bytes(path))]


def _read_bytes(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(OBJECTS.size + 1)
        with Path(path).open("rb") as file:
            return file.read(OBJECTS.size + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
