"""A check of a change reads what the change may collide with, and finds all that it broke."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core import trees
from sluice.core import tree
from sluice.core.finding import Finding
from sluice.core.layout import Key, release_path
from sluice.core.neighbours import neighbours

NAMES = ["a", "a-v1", "a-v2", "b", "b-v1", "c"]
TRAITS = st.tuples(
    st.sampled_from(["1", "2", "v1"]),
    st.sampled_from(["/v1", "/x", "/y"]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["rolling", "canary"]),
)
TREES = st.dictionaries(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(NAMES)), TRAITS, max_size=5
)


def spec(name: str, version: str, path: str, replicas: int, strategy: str) -> bytes:
    rollout = "{strategy: rolling}"
    if strategy == "canary":
        rollout = "{strategy: canary, steps: [{weight: 10, soak: 10m}]}"
    return f"""\
apiVersion: sluice.dev/v1alpha1
kind: ModelRelease
metadata: {{name: {name}}}
spec:
  model: {{name: m, version: "{version}", source: pvc://models/m/{version}}}
  engine: {{name: vllm, version: 0.33.0}}
  serving: {{maxModelLen: 1024}}
  accelerator: {{name: nvidia-l4, count: 1}}
  scaling: {{replicas: {replicas}}}
  traffic: {{path: {path}}}
  rollout: {rollout}
""".encode()


def files(traits: dict[tuple[str, str], tuple[str, str, int, str]]) -> dict[str, bytes]:
    environment = b"""\
apiVersion: sluice.dev/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  cluster: {server: https://kubernetes.default.svc, kubernetesVersion: "1.34"}
  namespace: models
  traffic: {provider: nginx, className: nginx, host: api.example.com}
  accelerators: {allowed: [nvidia-l4], quota: 6}
"""
    return {trees.ENVIRONMENT: environment} | {
        release_path(Key("production", *owner)): spec(owner[1], *said)
        for owner, said in traits.items()
    }


def found(tree_of: dict[str, bytes]) -> set[Finding]:
    return set(trees.workspace_of(tree_of).check())


@settings(max_examples=150, deadline=None)
@given(TREES, st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(NAMES)), TRAITS)
@example(
    {("one", "a"): ("2", "/x", 1, "canary"), ("two", "a-v1"): ("1", "/y", 1, "rolling")},
    ("one", "a"),
    ("1", "/x", 1, "canary"),
)
def test_what_a_change_breaks_is_found_without_the_rest(
    before: dict[tuple[str, str], tuple[str, str, int, str]],
    changed: tuple[str, str],
    traits: tuple[str, str, int, str],
) -> None:
    old, new = files(before), files({**before, changed: traits})
    key = Key("production", *changed)
    whole = trees.workspace_of(new)
    narrow = whole.narrowed([key])
    base = trees.workspace_of(old).narrowed([key])
    near = neighbours(narrow.specs.releases, base.specs.releases, whole.keys)
    chosen = tree.check(whole.narrowed([key, *near]).specs, trees.tools(), [key])
    rules = {finding.rule for finding in found(new) - found(old)}
    assert rules <= {finding.rule for finding in chosen}


def test_a_change_that_asks_for_nothing_more_reads_nothing_more() -> None:
    before = {("one", "a"): ("1", "/x", 2, "rolling"), ("two", "b"): ("1", "/y", 2, "rolling")}
    after = {**before, ("one", "a"): ("2", "/x", 1, "rolling")}
    key = Key("production", "one", "a")
    now = trees.workspace_of(files(after)).narrowed([key]).specs.releases
    old = trees.workspace_of(files(before)).narrowed([key]).specs.releases
    assert neighbours(now, old, [key, Key("production", "two", "b")]) == set()
