"""What a release does follows from records: nothing compares a name with a strategy, a traffic
provider, a controller, a scaler or a signal of rollouts.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sluice
from sluice.core.analysis.signal_table import SIGNALS
from sluice.core.takeover.controller import OWN
from sluice.core.takeover.strategy import STRATEGIES
from sluice.system import resources
from support import trees

PACKAGE = Path(sluice.__file__).parent
RECORDS = trees.tools().records
FAMILIES = (
    STRATEGIES.keys(),
    RECORDS.providers.keys(),
    {*RECORDS.controllers, OWN},
    RECORDS.scalers.keys(),
    SIGNALS.keys(),
)
NAMES = frozenset(name for family in FAMILIES for name in family)
OWN_WORDS = (
    "core/takeover/strategy.py",  # the records themselves
    "core/analysis/signal_table.py",
    "core/kubernetes/",  # fields of other people's objects, which are called so
    "forges/",  # answers of forges
)


def names_in(node: ast.AST | None) -> set[str]:
    """The names that a literal is, or that it has."""
    if isinstance(node, ast.Constant):
        return {node.value} & NAMES if isinstance(node.value, str) else set()
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return {name for element in node.elts for name in names_in(element)}
    return set()


def compared(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each comparison with a name, and of each table that is chosen from by it."""
    for node in ast.walk(ast.parse(source)):
        found: set[str] = set()
        if isinstance(node, ast.Compare):
            for operator, right in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
                    found |= names_in(node.left) | names_in(right)
                elif isinstance(operator, ast.In | ast.NotIn):
                    found |= names_in(right)
        elif isinstance(node, ast.MatchValue):
            found = names_in(node.value)
        elif isinstance(node, ast.Dict) and len(node.keys) > 1:
            keys = [names_in(key) for key in node.keys]
            found = set().union(*keys) if all(keys) else set()
        yield from ((node.lineno, name) for name in sorted(found) if hasattr(node, "lineno"))


def test_no_module_compares_a_name() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(OWN_WORDS):
            said = compared(path.read_text("utf-8"))
            found += [
                f"{name}:{line} compares with {word!r}: ask the record" for line, word in said
            ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('if strategy == "canary": pass', ["canary"]),
        ('if "istio" != provider: pass', ["istio"]),
        ('if strategy in ("ab", "shadow"): pass', ["ab", "shadow"]),
        ('TABLE = {"gateway": 1, "nginx": 2}', ["gateway", "nginx"]),
        ('match word:\n    case "flagger":\n        pass', ["flagger"]),
        ('if "gateway" in traffic: pass', []),
        ('values = {"canary": 1, "labels": 2}', []),
    ],
)
def test_the_search_finds_what_it_should(source: str, names: list[str]) -> None:
    assert [name for _, name in compared(source)] == names


def test_no_module_names_what_the_catalog_brings() -> None:
    """Kubernetes' own words, `gateway` and `hpa`, are no vendor's."""
    brought = {*RECORDS.providers, *RECORDS.controllers, *RECORDS.scalers} - {"gateway", "hpa"}
    words = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in brought), re.IGNORECASE)
    found = [
        name
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith("core/kubernetes/")
        if words.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_no_template_branches_on_a_name() -> None:
    words = re.compile("|".join(rf"""["']{re.escape(name)}["']""" for name in sorted(NAMES)))
    found = [
        f"{file}: {tag}: give the template what the record says"
        for file, text in resources.read_templates().items()
        for tag in re.findall(r"\{%.*?%\}|\{\{.*?\}\}", text)
        if words.search(tag)
    ]
    assert found == []
