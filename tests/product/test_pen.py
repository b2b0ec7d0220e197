"""Everything that changes something outside goes through one module, which a dry run does without.

Who adds a call that writes elsewhere reads it here.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sluice
from sluice import git
from sluice.core.model import Signature
from sluice.core.promotion.branches import ref_of
from sluice.forges.plain import PlainForge
from sluice.reconciler.pen import DryRunError, Pen

PACKAGE = Path(sluice.__file__).parent
ABOVE = ("commands", "insight", "reconciler", "workspace")
PEN = PACKAGE / "reconciler" / "pen.py"

# Calls by which a repository, a forge, a registry or a cluster is changed: what they are called on,
# empty where the name alone tells.
EFFECTS = {
    "move": "upstream scene place",
    "move_each": "upstream scene place",
    "swap": "",
    "swap_each": "",
    "ensure": "forge",
    "reword": "forge",
    "close": "forge",
    "merge": "forge",
    "merge_when_ready": "forge",
    "cancel_merge": "forge",
    "unlabel": "forge",
    "settle": "forge",
    "request_reviews": "forge",
    "set_status": "forge",
    "upsert_comment": "forge",
    "write_tree": "git",
    "commit": "git",
    "update_ref": "git",
    "refresh": "cluster",
    "end": "cluster",
    "mark": "marker",
}


def effects(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = EFFECTS.get(node.func.attr)
        called_on = ast.unparse(node.func.value).rpartition(".")[2].partition("(")[0]
        if owner is not None and (not owner or called_on in owner.split()):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} {called_on}.{node.func.attr}"


def test_only_the_pen_writes() -> None:
    modules = [path for folder in ABOVE for path in (PACKAGE / folder).rglob("*.py")]
    assert PEN in modules
    assert [effect for path in modules if path != PEN for effect in effects(path)] == []
    written = {effect.rpartition(".")[2] for effect in effects(PEN)}
    assert written == EFFECTS.keys() - {"move", "move_each", "update_ref"}  # by swap


def test_a_dry_run_has_no_pen(tmp_path: Path) -> None:
    repository = git.init_bare(tmp_path / "r.git")
    direct, who = git.Direct(repository), Signature("a", "a@example.com")

    def pen(*, is_dry: bool) -> Pen:
        return Pen(repository, direct.move, direct.move_each, PlainForge(), lambda: 7, who, is_dry)  # type: ignore[arg-type]

    wet, dry = pen(is_dry=False), pen(is_dry=True)
    tree = git.write_tree(repository, None, {"a": b"1"})
    first = git.commit(repository, tree, [], "first", who, time=7)
    wet.move(ref_of("main"), first, None)
    second = wet.commit(first, [({"a": b"2"}, "second")])
    for act in (
        lambda: dry.commit(first, [({"a": b"2"}, "second")]),
        lambda: dry.move(ref_of("main"), second, first),
        lambda: dry.move_each({ref_of("main"): (first, second)}),
        lambda: dry.cancel_merge(1),
    ):
        with pytest.raises(DryRunError):
            act()
    assert git.tip(repository, ref_of("main")) == first
