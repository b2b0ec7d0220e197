"""Tests stand by themselves: what they share is in tests/support/, and no machine is too slow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "generator" / "sluice"
MODULES = sorted(TESTS.rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_test_module(module: str) -> bool:
    """Whether a module of this folder is meant, and not a function that is called so."""
    return "test_" in module and TESTS.joinpath(*module.split(".")).with_suffix(".py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_module_imports_a_test_module(path: Path) -> None:
    others = sorted(filter(is_test_module, imported_modules(path)))
    assert not others, f"move what is shared with {others} to a module of tests/support/"


def test_properties_have_no_deadline() -> None:
    assert hypothesis.settings().deadline is None
    with_deadline = re.compile(r"\bsettings\([^)]*\bdeadline=")
    others = [path for path in MODULES if path.name != "conftest.py"]
    assert [str(path) for path in others if with_deadline.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("ending", ["py", "j2"])
def test_comments_give_a_reason_and_no_number_of_a_list_elsewhere(ending: str) -> None:
    for path in PACKAGE.rglob(f"*.{ending}"):
        numbers = re.findall(r"\b[Rr]ule \d+|checklist wants", path.read_text("utf-8"))
        assert not numbers, f"{path}: {numbers}: say the reason itself"
