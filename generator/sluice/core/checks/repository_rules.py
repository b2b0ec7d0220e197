"""What Git can make of paths and files, so that others see something else than a check saw."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping

from sluice.core.finding import Finding, Place, Severity

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def check_names(paths: Collection[str]) -> Iterator[Finding]:
    """Names that two systems read differently: twins but for their case, and unprintable ones."""
    seen: dict[str, str] = {}
    for path in sorted(_with_folders(paths)):
        if not path.isprintable():
            message = "the name holds characters that cannot be shown"
            yield Finding(Place(_shown(path)), "GIT004", message, "give it a plain name")
        first = seen.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if first != path:
            message = f"{_shown(first)} differs in upper and lower case only: some systems keep one"
            yield Finding(Place(_shown(path)), "GIT001", message, "rename one of them")


def check_ignored(paths: Iterable[str]) -> Iterator[Finding]:
    """Files that are read here, and that no commit will have."""
    for path in paths:
        message = "Git ignores this file, so that no commit has it"
        remedy = "take it out of .gitignore, or keep it elsewhere"
        yield Finding(Place(path), "GIT002", message, remedy)


def check_rewritten(paths: Mapping[str, str]) -> Iterator[Finding]:
    """Files of which a checkout is not what the commit has, each with what rewrites it."""
    for path, reason in paths.items():
        message = f"a checkout of this file is not what the commit has: {reason}"
        remedy = "remove what rewrites it, and commit the file as it stands"
        yield Finding(Place(path), "GIT003", message, remedy)


def unread_repository(reason: str) -> Finding:
    """Say that no rule about Git was tried."""
    message = f"how Git has these files is not checked: {reason}"
    remedy = "let Sluice read the repository, or check a clone that it can read"
    return Finding(Place(".git"), "GIT005", message, remedy, Severity.WARNING)


def _with_folders(paths: Iterable[str]) -> set[str]:
    """The paths, and the folders on the way to them."""
    wanted = set(paths)
    for path in list(wanted):
        folder = path.rpartition("/")[0]
        while folder and folder not in wanted:
            wanted.add(folder)
            folder = folder.rpartition("/")[0]
    return wanted


def _shown(path: str) -> str:
    """A path that may be printed."""
    return "".join(
        character
        if character.isprintable()
        else _ESCAPES.get(character, f"\\u{ord(character):04x}")
        for character in path
    )
