"""Where things live: verbs behind the command line, and packages that never depend in circles."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import sluice
from sluice.cli import cli

PACKAGE = Path(sluice.__file__).parent


def module_name(path: Path) -> str:
    return ".".join(("sluice", *path.relative_to(PACKAGE).with_suffix("").parts))


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
PACKAGES = {name.rpartition(".")[0] for name in MODULES} - {"sluice"}


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that a module imports, also those that it imports late."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES or full in PACKAGES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def package_of(module: str) -> str:
    return module if module in PACKAGES else module.rpartition(".")[0]


def package_imports() -> Mapping[str, set[str]]:
    imports: dict[str, set[str]] = defaultdict(set)
    for name, path in MODULES.items():
        package = package_of(name)
        imports[package] |= {package_of(other) for other in imported(path)} & PACKAGES
        imports[package].discard(package)
    return imports


def test_no_package_depends_on_itself_by_way_of_others() -> None:
    order = list(TopologicalSorter(package_imports()).static_order())
    assert order.index("sluice.core") < order.index("sluice.commands")


def verbs(group: object, prefix: str = "") -> Iterator[str]:
    """The modules that the verbs of the command line should be in, by their names."""
    for name, command in getattr(group, "commands", {}).items():
        full = f"{prefix}{name.replace('-', '_')}"
        if hasattr(command, "commands"):
            yield from verbs(command, f"{full}_")
        else:
            yield full


def test_commands_holds_one_file_a_verb_and_nothing_else() -> None:
    files = {path.stem for path in (PACKAGE / "commands").glob("*.py")} - {"__init__"}
    assert files == set(verbs(cli))


def test_every_package_says_what_it_is() -> None:
    for package in PACKAGES:
        path = PACKAGE.joinpath(*package.split(".")[1:], "__init__.py")
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), package
