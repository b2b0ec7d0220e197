"""Trees of specs for tests: the cases of tests/cases, and what Sluice says about a tree."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sluice.core.finding import Finding, FindingsError, failed, in_order
from sluice.core.model import RouteKind
from sluice.core.pipeline import Toolkit
from sluice.workspace.toolkit import make_toolkit
from sluice.workspace.workspace import Workspace

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"

SHORT = {
    "environment.yaml": "environments/production/environment.yaml",
    "release.yaml": "environments/production/platform/chat/release.yaml",
    "rollout.yaml": "environments/production/platform/chat/rollout.yaml",
}
"""A case with one of these files replaces that file of tests/cases/base; others stand alone."""

RELEASE = SHORT["release.yaml"]
ENVIRONMENT = SHORT["environment.yaml"]


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path relative to it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def base() -> dict[str, bytes]:
    """A small tree without findings: one environment, one release."""
    return below(CASES / "base")


def case(folder: Path) -> dict[str, bytes]:
    """The tree that a case stands for."""
    own = below(folder)
    own.pop("expected.txt", None)
    start = base() if own.keys() & SHORT.keys() else {}
    return start | {SHORT.get(name, name): content for name, content in own.items()}


def cases(kind: str) -> list[Path]:
    return sorted(path for path in (CASES / kind).iterdir() if path.is_dir())


@cache
def tools() -> Toolkit:
    """Schemas, catalog and templates; compiled once for all tests."""
    return make_toolkit()


def route_kind(provider: str) -> RouteKind:
    """The kind of the routes of a traffic provider."""
    return tools().records.providers[provider].route


def workspace_of(files: Mapping[str, bytes]) -> Workspace:
    """A tree as the commands see it."""
    workspace = Workspace(dict(files))
    if not any(path.startswith("catalog/") for path in files):
        vars(workspace)["tools"] = tools()
    return workspace


def outcome(files: Mapping[str, bytes]) -> tuple[list[Finding], dict[str, bytes]]:
    """What is wrong with a tree, and what it renders when nothing is."""
    workspace = workspace_of(files)
    findings = in_order([*workspace.check(), *workspace.check_catalog()])
    if failed(findings):
        return findings, {}
    try:
        manifests = workspace.render()
    except FindingsError as error:
        return error.findings, {}
    return findings, {path: manifest.content() for path, manifest in manifests.items()}


@cache
def reference() -> Workspace:
    """The reference environments of this repository."""
    files = below(ROOT / "environments")
    return Workspace({f"environments/{path}": content for path, content in files.items()})


def replaced(files: Mapping[str, bytes], path: str, old: str, new: str) -> dict[str, bytes]:
    """The tree with one text of one file replaced."""
    assert old.encode() in files[path], f"{path} has no {old!r}"
    return {**files, path: files[path].replace(old.encode(), new.encode(), 1)}


def plain(node: Any) -> Any:  # noqa: ANN401  # any YAML
    """A tree with tuples as lists, as a reader of YAML would give it."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    return [plain(item) for item in node] if isinstance(node, list | tuple) else node
