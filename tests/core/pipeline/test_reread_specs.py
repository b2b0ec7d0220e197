"""Specs of which only what has changed is read say what specs that were read as a whole say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core import layout, pipeline
from sluice.core.documents import load
from sluice.core.finding import FindingsError
from sluice.core.layout import Key
from sluice.core.pipeline import Specs
from sluice.core.plan.cost import totals_by_scope
from sluice.core.promotion.sound import sound
from sluice.workspace.workspace import Workspace
from support import trees
from support.spec_trees import TREES, Tree, grown

Files = dict[str, bytes]
BESIDE = "environments/production/platform/chat"
OTHERS = {
    "a description": {f"{BESIDE}/model.json": b'{"architectures": ["LlamaForCausalLM"]}'},
    "evidence": {f"{BESIDE}/evidence/v2.json": b'{"created": 5}'},
    "nothing": {},
}


def apart(before: Files, after: Files) -> set[str]:
    """The paths that differ."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def moved(workspace: Workspace, after: Files) -> Workspace | None:
    """The workspace as the reconciler brings it from one commit to the next."""
    paths = apart(workspace.files, after)
    return workspace.moved(paths, Workspace({p: after[p] for p in paths & after.keys()}))


def said(specs: Specs, found: list[object]) -> object:
    """Everything that is concluded from specs, or why nothing is."""
    catalog = trees.tools().catalog
    data = {key: (r.spec, r.variants, r.architectures) for key, r in specs.releases.items()}
    try:
        good = sound(specs, pipeline.check(specs, trees.tools()))
    except FindingsError as error:
        return data, found, error.findings
    totals = totals_by_scope(good.specs, catalog)
    return data, found, totals, good.broken, sorted(good.specs.releases)


def assert_the_same(made: Workspace, after: Files) -> None:
    whole = trees.workspace_of(after)
    assert made.files == after
    assert said(made.specs, list(made.check())) == said(whole.specs, list(whole.check()))


def test_every_case_after_every_other_that_is_near() -> None:
    """From a tree in order to each broken one, and back from there."""
    compared = 0
    for folder in (*trees.cases("valid"), *trees.cases("invalid")):
        after, before = trees.case(folder), trees.base()
        if any(path.startswith("catalog/") for path in after):
            continue
        there = moved(trees.workspace_of(before), after)
        if there is not None:
            assert_the_same(there, after)
            back = moved(there, before)
            assert back is not None, folder.name
            assert_the_same(back, before)
            compared += 1
    assert compared > 100


@settings(max_examples=100)
@given(st.lists(TREES, min_size=2, max_size=4), st.sampled_from(sorted(OTHERS)))
def test_any_walk_from_tree_to_tree(walk: list[Tree], other: str) -> None:
    """Releases come, change, roll out and go; what was known before each step is let go of."""
    at = trees.workspace_of(grown(walk[0]))
    for step in walk[1:]:
        after = grown(step) | OTHERS[other]
        made = moved(at, after)
        assert made is not None
        assert_the_same(made, after)
        pipeline.check(made.specs, trees.tools())
        made.specs.settle()
        assert made.specs.origin is None
        at = made
    assert_the_same(at, at.files)


@pytest.mark.parametrize(
    "path",
    [
        trees.ENVIRONMENT,
        "catalog/accelerators/mine.yaml",
        "policies/waivers.yaml",
        "environments/notes.txt",
        "environments/production/README.md",
    ],
)
def test_what_concerns_more_than_single_releases_is_read_as_a_whole(path: str) -> None:
    assert moved(trees.workspace_of(trees.base()), trees.base() | {path: b"{}\n"}) is None


def test_only_what_changed_is_read_and_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    usual = load.load

    def watched(path: str, raw: bytes) -> load.Document:
        read.append(path)
        return usual(path, raw)

    before: Tree = {
        ("production", "one", name): ("1", f"/{name}", 1, "rolling")
        for name in ("aa", "bb", "cc", "dd")
    }
    workspace = trees.workspace_of(grown(before))
    workspace.check()
    monkeypatch.setattr(load, "load", watched)
    after = grown(before | {("production", "one", "bb"): ("2", "/bb", 1, "rolling")})
    made = moved(workspace, after)
    assert made is not None
    key = Key("production", "one", "bb")
    assert read == [layout.release_path(key)]
    same = [k for k, r in made.specs.releases.items() if r is workspace.specs.releases[k]]
    assert len(same) == 3
    assert key not in same
    for other in same:  # whoever looks at one of these again fails
        monkeypatch.setitem(vars(made.specs.releases[other]), "document", None)
    assert pipeline.check_one(made.specs.releases[key], trees.tools()) == ()
    assert [pipeline.check_one(made.specs.releases[k], trees.tools()) for k in same] == [()] * 3
