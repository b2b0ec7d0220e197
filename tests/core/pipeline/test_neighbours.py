"""A check of a change reads what the change may collide with, and finds all that it broke."""

from hypothesis import example, given, settings

from sluice.core import pipeline
from sluice.core.finding import Finding
from sluice.core.layout import Key
from sluice.core.pipeline.neighbours import neighbours
from support import trees
from support.spec_trees import OWNERS, PROVIDERS, TRAITS, TREES, Owner, files


def found(tree_of: dict[str, bytes]) -> set[Finding]:
    return set(trees.workspace_of(tree_of).check())


@settings(max_examples=150)
@given(TREES, OWNERS, TRAITS, PROVIDERS)
@example(
    {
        ("production", "one", "a"): ("2", "/x", 1, "canary"),
        ("production", "two", "a-v1"): ("1", "/v1", 1, "rolling"),
    },
    ("production", "one", "a"),
    ("1", "/x", 1, "canary"),
    "provider: nginx",
)
@example(
    {
        ("production", "one", "a"): ("1", "/v1", 1, "rolling"),
        ("staging", "one", "a"): ("1", "/v1", 1, "rolling"),
        ("staging", "one", "a-v1"): ("1", "/v1", 1, "rolling"),
    },
    ("production", "one", "a"),
    ("1", "/x", 1, "rolling"),
    "provider: nginx",
)
@example(
    {("staging", "two", "b"): ("1", "/v1", 1, "rolling")},
    ("production", "one", "a"),
    ("1", "//v1/", 1, "rolling"),
    "provider: nginx",
)
def test_what_a_change_breaks_is_found_without_the_rest(
    before: dict[Owner, tuple[str, str, int, str]],
    changed: Owner,
    traits: tuple[str, str, int, str],
    traffic: str,
) -> None:
    old, new = files(before, traffic), files({**before, changed: traits}, traffic)
    key = Key(*changed)
    whole = trees.workspace_of(new)
    narrow = whole.narrowed([key])
    base = trees.workspace_of(old).narrowed([key])
    specs = narrow.specs
    near = neighbours(specs.releases, base.specs.releases, whole.keys, specs.environments)
    chosen = pipeline.check(whole.narrowed([key, *near]).specs, trees.tools(), [key])
    broken = _broken(found(old), found(new), key)
    assert _touched(broken, key) <= {finding.rule for finding in chosen}


def _broken(old: set[Finding], new: set[Finding], key: Key) -> set[Finding]:
    """What a change to this release broke.

    Of several that collide the first is named, and that may be another one once this has gone:
    such a finding was at its place before, and does not speak of this release.
    """
    before = {(one.rule, one.place) for one in old}
    return {
        one for one in new - old if (one.rule, one.place) not in before or str(key) in one.message
    }


def _touched(findings: set[Finding], key: Key) -> set[str]:
    """The rules that a change to this release broke.

    Quotas are looked at where nothing else is wrong: a route that is mended may show one of another
    environment, which was exceeded before.
    """
    own = f"environments/{key.environment}/"
    return {one.rule for one in findings if one.rule != "FIT001" or one.place.file.startswith(own)}


PRODUCTION, BESIDE = Key("production", "one", "a"), Key("production", "two", "b")
STAGING, ELSEWHERE = Key("staging", "one", "a"), Key("other", "one", "a")


def near_a_change(before: tuple[str, str, int, str], after: tuple[str, str, int, str]) -> set[Key]:
    """What is read beside a release of production that changes."""
    keys = [PRODUCTION, BESIDE, STAGING, ELSEWHERE]
    now, old = (
        trees.workspace_of(files({(*PRODUCTION,): traits})).specs for traits in (after, before)
    )
    return neighbours(now.releases, old.releases, keys, now.environments)


def test_a_change_that_asks_for_nothing_more_reads_nothing_more() -> None:
    assert near_a_change(("1", "/x", 2, "rolling"), ("2", "/x", 1, "rolling")) == set()
    assert near_a_change(("1", "/x", 2, "rolling"), ("2", "//x/", 1, "rolling")) == set()


def test_more_devices_are_for_the_environment_and_a_new_route_for_its_gateway() -> None:
    assert near_a_change(("1", "/x", 1, "rolling"), ("1", "/x", 2, "rolling")) == {BESIDE}
    assert near_a_change(("1", "/x", 1, "rolling"), ("1", "/y", 1, "rolling")) == {BESIDE, STAGING}
