"""What the package carries: schemas, templates, pages, catalog, policies, starter files."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml_rs

_PACKAGE = Path(__file__).parents[1]
_REPOSITORY = _PACKAGE.parents[1]
_EXAMPLES = "tests/core/kubernetes/rules/cases"
"""Where the examples of semantic rules are in the repository; the tests run them there."""


@cache
def find_directory(name: str) -> Path:
    """Find the folder of this name: in the package when it is installed, else in the repository."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _REPOSITORY / name


def read_schema(name: str) -> Mapping[str, Any]:
    """Read a JSON Schema by its file name."""
    parsed: Mapping[str, Any] = json.loads((find_directory("schemas") / name).read_bytes())
    return parsed


def read_templates() -> dict[str, str]:
    """Read each template, by its path below templates/."""
    return read_files(find_directory("templates"), "*.j2")


def read_pages() -> dict[str, str]:
    """Read each template of a page, and its style, by its path below pages/."""
    return read_files(find_directory("pages"))


def read_catalog_entry(family: str, name: str) -> Mapping[str, Any] | None:
    """Read an entry of the catalog as written; None when there is none.

    Raises:
        TypeError: the file is no mapping.
    """
    path = find_directory("catalog") / family / f"{name}.yaml"
    try:
        if not path.is_file():
            return None
    except OSError:  # no system has files of such a name
        return None
    entry = yaml_rs.loads(path.read_text(encoding="utf-8"))
    if not isinstance(entry, dict):
        raise TypeError(f"{path} holds no mapping")
    return entry


def read_catalog_file(name: str) -> Mapping[str, Any]:
    """Read a table of the catalog that is one file.

    Raises:
        TypeError: the file is no mapping.
    """
    path = find_directory("catalog") / f"{name}.yaml"
    table = yaml_rs.loads(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise TypeError(f"catalog/{name}.yaml holds no mapping")
    return table


def list_catalog(family: str) -> tuple[str, ...]:
    """List the names of all entries of a family."""
    folder = find_directory("catalog") / family
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def read_examples(rule: str) -> tuple[str, str]:
    """Read a manifest that breaks a rule and one that does not; empty where there are none."""
    packaged = _PACKAGE / "examples"
    examples = packaged if packaged.is_dir() else _REPOSITORY / _EXAMPLES
    folder = examples / rule
    return _read_example(folder / "fail.yaml"), _read_example(folder / "pass.yaml")


def _read_example(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# expect:"))


def read_files(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Read each file below a folder, by its path relative to it."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }
