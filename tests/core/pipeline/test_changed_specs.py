"""Specs that were made from others say what specs that were read as a whole say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core import pipeline
from sluice.core.finding import failed
from sluice.core.layout import Key
from sluice.core.pipeline import Specs
from sluice.core.plan.cost import totals_by_scope
from sluice.core.plan.difference import plan
from support import trees
from support.spec_trees import OWNERS, PROVIDERS, TRAITS, TREES, Owner, Traits, Tree, files, grown

CHANGES = st.lists(st.tuples(OWNERS, TRAITS), min_size=1, max_size=4)


def changed(specs: Specs, owner: Owner, traits: Traits, traffic: str = "provider: nginx") -> Specs:
    """As a proposal does it: the one release is read beside its environment."""
    tools = trees.tools()
    files = grown({owner: traits}, traffic)
    return specs.changed(pipeline.read(files, tools.schemas, tools.records))


@settings(max_examples=150)
@given(TREES, CHANGES, PROVIDERS)
def test_a_change_counts_as_everything_anew(
    before: Tree, changes: list[tuple[Owner, Traits]], traffic: str
) -> None:
    tools, catalog = trees.tools(), trees.tools().catalog
    base = trees.workspace_of(grown(before, traffic)).specs
    specs, after = base, dict(before)
    for owner, traits in changes:
        specs, after[owner] = changed(specs, owner, traits, traffic), traits
    whole = trees.workspace_of(grown(after, traffic)).specs
    keys = [Key(*owner) for owner, _ in changes]

    assert pipeline.check(specs, tools, keys) == pipeline.check(whole, tools, keys)
    assert pipeline.check(specs, tools) == pipeline.check(whole, tools)
    assert totals_by_scope(specs, catalog) == totals_by_scope(whole, catalog)
    if not failed([*pipeline.check(base, tools), *pipeline.check(whole, tools)]):
        old, new = (pipeline.render(each, tools)[0] for each in (base, whole))
        assert plan(base, specs, old, new, catalog) == plan(base, whole, old, new, catalog)


def test_nothing_of_the_rest_is_counted_again() -> None:
    tools = trees.tools()
    before: Tree = {
        ("production", "one", "a"): ("1", "/x", 1, "rolling"),
        ("production", "two", "b"): ("1", "/y", 1, "rolling"),
    }
    base = trees.workspace_of(files(before)).specs
    pipeline.check(base, tools)
    vars(base.releases[Key("production", "two", "b")]).clear()  # whoever looks at it now fails
    after = changed(base, ("production", "one", "a"), ("2", "/v1", 2, "rolling"))
    assert pipeline.check(after, tools, [Key("production", "one", "a")]) == []
