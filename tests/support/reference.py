"""The reference environments with some words replaced, rendered, for tests of what comes out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.core.finding import Finding
from sluice.workspace.workspace import Workspace, open_workspace

ROOT = Path(__file__).parents[2]
ENVIRONMENT = "environments/production/environment.yaml"
RELEASE = "environments/production/platform/chat/release.yaml"
ROLLOUT = "environments/production/platform/chat/rollout.yaml"
DIRECTORY = "manifests/production/platform/chat"

Changes = Mapping[str, Mapping[str, str]]


def workspace(changes: Changes) -> Workspace:
    """The reference with texts replaced, by file; an empty mapping deletes the file."""
    files = dict(open_workspace(ROOT).files)
    for path, replacements in changes.items():
        raw = files.pop(path).decode()
        for old, new in replacements.items():
            assert old in raw, f"{path} lacks {old!r}"
            raw = raw.replace(old, new)
        if replacements:
            files[path] = raw.encode()
    return Workspace(files)


def rendered(changes: Changes, folder: str = DIRECTORY) -> dict[str, Any]:
    """The objects in one rendered directory, by file name."""
    manifests = workspace(changes).render()
    return {
        path.rpartition("/")[2].removesuffix(".yaml"): manifest.data
        for path, manifest in manifests.items()
        if path.rpartition("/")[0] in (folder, f"{folder}/routes")
    }


def findings(changes: Changes) -> list[Finding]:
    """What the checks say."""
    return workspace(changes).check()
