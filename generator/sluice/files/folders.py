"""Folders opened by themselves, each from the one above it, so that no link is followed."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def enter_folder(start: Path | int, parts: Sequence[str], make: int | None = None) -> Iterator[int]:
    """Open a folder below one that is trusted, step by step, without following a link.

    Args:
        start: the trusted folder, by its path or by a handle, which stays open.
        parts: the names of the folders on the way.
        make: mode of new folders; with it those that lack are made.

    Raises:
        OSError: a folder is missing, is a link, or cannot be opened.
    """
    # The start itself is trusted, so that it may be reached over a link.
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
    """Whether a path below a root is a symbolic link, or leads over one."""
    place = root
    for part in PurePosixPath(relative).parts:
        place /= part
        if place.is_symlink():
            return True
    return False
