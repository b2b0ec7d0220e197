"""What is in manifests/, compared with what the specs render."""

from collections.abc import Mapping
from pathlib import Path

from sluice import files
from sluice.core import layout
from sluice.core.documents.emit import unix_lines
from sluice.core.finding import Finding, FindingsError, Place

RENDERED_LIMIT = 1 << 24


STALE = "RND001"


def compare_rendered(top: Path, wanted: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """What to write and to delete so that manifests/ holds exactly the wanted files.

    Raises:
        FindingsError: when manifests/ holds something that was not rendered.
    """
    present = files.read(top, [layout.MANIFESTS], RENDERED_LIMIT)
    return compare_tree(present, wanted)


def compare_tree(present: files.Tree, wanted: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """As `compare_rendered`, from what is there already.

    Raises:
        FindingsError: when something there was not rendered.
    """
    files_there = {path: raw for path, raw in present.files.items() if not layout.is_dropping(path)}
    foreign = [
        path
        for path, content in files_there.items()
        if path not in wanted and not content.startswith(b"# Rendered by sluice ")
    ]
    if foreign or present.links:
        message = "this file was not rendered, and manifests/ holds rendered files only"
        raise FindingsError(
            Finding(Place(path), "RND002", message, "move it elsewhere")
            for path in (*foreign, *present.links)
        )
    changes: dict[str, bytes | None] = {
        path: content
        for path, content in wanted.items()
        if unix_lines(files_there.get(path, b"")) != content
    }
    return changes | {path: None for path in files_there if path not in wanted}


def raise_if_stale(changes: Mapping[str, bytes | None]) -> None:
    """Fail with one finding for each manifest that is not what its spec renders.

    Raises:
        FindingsError: when there is any.
    """
    if changes:
        raise FindingsError(
            Finding(
                Place(path),
                STALE,
                "no spec renders this file" if content is None else "not what the specs render",
                "run `sluice render` and commit the result",
            )
            for path, content in changes.items()
        )
