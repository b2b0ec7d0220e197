"""Folders opened by themselves, each from the one above it, so that no link is followed."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def entered(start: Path | int, parts: Sequence[str], make: int | None = None) -> Iterator[int]:
    """A folder below one that is trusted, opened step by step, without following a link.

    With `make`, the mode of new folders, those that lack are made.
    """
    here = os.dup(start) if isinstance(start, int) else os.open(start, FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts:
            if make is not None:
                with suppress(FileExistsError):
                    os.mkdir(part, mode=make, dir_fd=here)
            below = os.open(part, FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def is_linked(root: Path, relative: str) -> bool:
    parts = PurePosixPath(relative).parts
    return any((root / Path(*parts[: end + 1])).is_symlink() for end in range(len(parts)))
