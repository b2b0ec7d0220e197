"""`sluice explain`: each resolved value of a release, and where it came from."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.core.documents.source import Pointer
from sluice.core.finding import UsageError
from sluice.core.outgoing import lines_of
from sluice.core.reports.rules import text
from sluice.workspace.releases import find_release
from sluice.workspace.rule_pages import page
from sluice.workspace.workspace import find_root, open_workspace

_RULE = re.compile(r"[A-Z][A-Z0-9]{2,3}[0-9]{3}(/.+)?")
"""An id of a rule; names of releases are in lower case."""


def run(*, release: str, field: str | None, root: str | None, form: str) -> int:
    """Print the values below a field, or all of them; the page of a rule where one is named."""
    if _RULE.fullmatch(release):
        return _page(release, root, form)
    workspace = open_workspace(find_root(root))
    chosen = find_release(workspace.specs, release)
    rows = [
        {"field": _dotted(pointer), "value": value, "from": said, "place": str(place)}
        for pointer, value in _list_leaves(chosen.spec.document, ())
        for place, said in (chosen.origin(pointer),)
        if _matches(_dotted(pointer), field)
    ]
    if not rows:
        raise UsageError(f"{chosen.key} has no value at {field}")
    if form == "json":
        sys.stdout.write(json.dumps({"version": 1, "values": rows}, indent=2) + "\n")
        return 0
    width = max(len(f"{row['field']}: {_show(row['value'])}") for row in rows)
    for row in rows:
        said = f"{row['field']}: {_show(row['value'])}"
        sys.stdout.write(lines_of([f"{said:<{min(width, 60)}}  {row['place']}  ({row['from']})"]))
    return 0


def _page(rule: str, root: str | None, form: str) -> int:
    found = page(rule, _find_repository(root))
    if form == "json":
        sys.stdout.write(json.dumps({"version": 1, "page": asdict(found)}, indent=2) + "\n")
    else:
        sys.stdout.write(text(found))
    return 0


def _find_repository(root: str | None) -> Path | None:
    """The repository; none where there is none, since the pages are the package's."""
    try:
        return find_root(root)
    except UsageError:
        return None


def _list_leaves(node: Any, pointer: Pointer) -> Iterator[tuple[Pointer, Any]]:  # noqa: ANN401  # YAML
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _list_leaves(value, (*pointer, key))
    elif isinstance(node, list) and any(isinstance(item, dict | list) for item in node):
        for index, item in enumerate(node):
            yield from _list_leaves(item, (*pointer, index))
    else:
        yield pointer, node


def _dotted(pointer: Pointer) -> str:
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in pointer)
    return text.lstrip(".")


def _matches(dotted: str, field: str | None) -> bool:
    wanted = (field or "").removeprefix("spec.")
    return not wanted or dotted == wanted or dotted.startswith((f"{wanted}.", f"{wanted}["))


def _show(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
