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
def directory(name: str) -> Path:
    """The folder of this name: in the package when it is installed, else in the repository."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _REPOSITORY / name


def schema(name: str) -> Mapping[str, Any]:
    """A JSON Schema by its file name."""
    parsed: Mapping[str, Any] = json.loads((directory("schemas") / name).read_bytes())
    return parsed


def templates() -> dict[str, str]:
    """The text of each template, by its path below templates/."""
    return files(directory("templates"), "*.j2")


def pages() -> dict[str, str]:
    """The text of each template of a page, and of its style, by its path below pages/."""
    return files(directory("pages"))


def catalog_entry(family: str, name: str) -> Mapping[str, Any] | None:
    """An entry of the catalog as written, or None when there is none."""
    path = directory("catalog") / family / f"{name}.yaml"
    try:
        if not path.is_file():
            return None
    except OSError:  # no system has files of such a name
        return None
    entry = yaml_rs.loads(path.read_text(encoding="utf-8"))
    if not isinstance(entry, dict):
        raise TypeError(f"{path} holds no mapping")
    return entry


def catalog_file(name: str) -> Mapping[str, Any]:
    """A table of the catalog that is one file."""
    table = yaml_rs.loads((directory("catalog") / f"{name}.yaml").read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise TypeError(f"catalog/{name}.yaml holds no mapping")
    return table


def catalog_names(family: str) -> tuple[str, ...]:
    """The names of all entries of a family."""
    return tuple(sorted(path.stem for path in (directory("catalog") / family).glob("*.yaml")))


def examples(rule: str) -> tuple[str, str]:
    """A manifest that breaks a rule and one that does not; empty where there are none."""
    packaged = _PACKAGE / "examples"
    folder = (packaged if packaged.is_dir() else _REPOSITORY / _EXAMPLES) / rule
    return _example(folder / "fail.yaml"), _example(folder / "pass.yaml")


def _example(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# expect:"))


def files(folder: Path, pattern: str = "*") -> dict[str, str]:
    """The text of each file below a folder, by its path relative to it."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }
