"""`sluice explain`: each resolved value of a release, and where it came from."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.commands.pages import page
from sluice.commands.workspace import find_root, open_workspace
from sluice.core.documents.source import Pointer
from sluice.core.finding import FindingsError, UsageError
from sluice.core.names import nearest, some
from sluice.core.outgoing import lines_of
from sluice.core.reports.rules import text
from sluice.core.specs.resolve import Release
from sluice.core.tree import Specs

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
        for pointer, value in _leaves(chosen.spec, ())
        for place, said in (chosen.origin(pointer),)
        if _matches(_dotted(pointer), field)
    ]
    if not rows:
        raise UsageError(f"{chosen.key} has no value at {field}")
    if form == "json":
        sys.stdout.write(json.dumps({"version": 1, "values": rows}, indent=2) + "\n")
        return 0
    width = max(len(f"{row['field']}: {_shown(row['value'])}") for row in rows)
    for row in rows:
        said = f"{row['field']}: {_shown(row['value'])}"
        sys.stdout.write(lines_of([f"{said:<{min(width, 60)}}  {row['place']}  ({row['from']})"]))
    return 0


def _page(rule: str, root: str | None, form: str) -> int:
    found = page(rule, _repository(root))
    if form == "json":
        sys.stdout.write(json.dumps({"version": 1, "page": asdict(found)}, indent=2) + "\n")
    else:
        sys.stdout.write(text(found))
    return 0


def _repository(root: str | None) -> Path | None:
    """The repository; none where there is none, since the pages are the package's."""
    try:
        return find_root(root)
    except UsageError:
        return None


def find_release(specs: Specs, name: str) -> Release:
    """A release by its name, by `environment/name` or by `environment/team/name`.

    Raises:
        UsageError: when none or more than one fits.
        FindingsError: when it is there but cannot be read.
    """
    wanted = name.strip("/").split("/")
    found = [
        release
        for key, release in specs.releases.items()
        if tuple(wanted) in (key, (key.environment, key.name), (key.name,))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(str(release.key) for release in found)
        raise UsageError(f"{name} is any of {listed}; name one of them")
    if specs.findings:
        raise FindingsError(specs.findings)
    known = [str(key) for key in specs.releases]
    close = nearest(wanted[-1], [key.name for key in specs.releases])
    hint = f"did you mean {close}?" if close else f"known: {some(known)}"
    raise UsageError(f"there is no release {name}; {hint}")


def _leaves(node: Any, pointer: Pointer) -> Iterator[tuple[Pointer, Any]]:  # noqa: ANN401  # YAML
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, (*pointer, key))
    elif isinstance(node, list) and any(isinstance(item, dict | list) for item in node):
        for index, item in enumerate(node):
            yield from _leaves(item, (*pointer, index))
    else:
        yield pointer, node


def _dotted(pointer: Pointer) -> str:
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in pointer)
    return text.lstrip(".")


def _matches(dotted: str, field: str | None) -> bool:
    wanted = (field or "").removeprefix("spec.")
    return not wanted or dotted == wanted or dotted.startswith((f"{wanted}.", f"{wanted}["))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
