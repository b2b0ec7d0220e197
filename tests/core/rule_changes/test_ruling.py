"""What a change of the rules lets pass: in doubt more."""

import pytest

from sluice.core.plan.comparison import Field
from sluice.core.rule_changes.comparison import policy_objects
from sluice.core.rule_changes.direction import lets_more, loosens_environment, loosens_release

LOOSER: list[tuple[str, object, object]] = [
    ("spec.promotion.review", "required", "automatic"),
    ("spec.promotion.review", None, "automatic"),
    ("spec.accelerators.allowed[]", None, "nvidia-h100-80gb"),
    ("spec.accelerators.allowed", ["nvidia-l4"], None),
    ("spec.accelerators.allowed[0]", "nvidia-l4", "nvidia-h100-80gb"),
    ("spec.sources.allowed[]", None, "hf://other/"),
    ("spec.sources.allowed", [{"prefix": "a"}], [{"prefix": "a"}, {"prefix": "b"}]),
    ("spec.sources.unlisted[]", None, "hf://other/"),
    ("spec.sources.unlisted", None, ["hf://other/"]),
    ("spec.sources.unlisted", ["hf://a/"], ["hf://a/", "hf://b/"]),
    ("spec.storage.claims[]", None, "other"),
    ("spec.storage.sources.models.endpoint", None, "https://other.example.com"),
    ("spec.follows.stage", "Production", None),
    ("spec.follows.alias", None, "mine"),
    ("spec.cluster.server", "https://a.example.com", "https://b.example.com"),
    ("spec.namespace", "a", "kube-system"),
    ("spec.argocd.repoURL", "https://a.example.com", "https://b.example.com"),
    ("spec.argocd.targetRevision", None, "mine"),
    ("spec.images.digests", "required", None),
    ("spec.defaults.serving.trustRemoteCode", None, True),
    ("spec.network.allowFrom[]", None, "default"),
    ("spec.network", {}, None),
    ("spec.accelerators.quota", 8, 9),
    ("spec.accelerators.quota", 8, None),
    ("spec.accelerators.quota", 8, {"nvidia.com/gpu": 8}),
    ("spec.accelerators.quota.nvidia.com/gpu", 8, None),
    ("spec.promotion.freezes", [{"from": "a"}], None),
    ("spec.promotion.windows", [{"schedule": "a"}], [{"schedule": "a"}, {"schedule": "b"}]),
    ("spec.promotion.reviewers[]", "@ada", None),
    ("spec.argocd.policies", True, None),
    ("spec.argocd.kinds", None, [{"group": "rules.example.com", "kind": "Limits"}]),
    ("spec.argocd.automated.selfHeal", True, False),
    ("metadata.labels.pod-security.kubernetes.io/enforce", None, "baseline"),
]
TIGHTER: list[tuple[str, object, object]] = [
    ("spec.promotion.review", "automatic", "required"),
    ("spec.accelerators.allowed[]", "nvidia-l4", None),
    ("spec.accelerators.allowed", None, ["nvidia-l4"]),
    ("spec.sources.unlisted[]", "hf://other/", None),
    ("spec.sources.unlisted", ["hf://other/"], None),
    ("spec.sources.unlisted", ["hf://a/", "hf://b/"], ["hf://b/"]),
    ("spec.storage.sources.models.endpoint", "https://a.example.com", None),
    ("spec.argocd.version", "3.1", "3.2"),
    ("spec.images.digests", None, "required"),
    ("spec.defaults.serving.trustRemoteCode", True, None),
    ("spec.network.allowFrom[]", "default", None),
    ("spec.accelerators.quota", 9, 8),
    ("spec.accelerators.quota", None, 8),
    ("spec.promotion.freezes", [{"from": "a"}], [{"from": "a"}, {"from": "b"}]),
    ("spec.promotion.windows", None, [{"schedule": "a"}]),
    ("spec.argocd.policies", None, True),
    ("metadata.labels.pod-security.kubernetes.io/enforce", "baseline", "restricted"),
    ("spec.traffic.host", "a.example.com", "b.example.com"),
]


@pytest.mark.parametrize(("pointer", "before", "after"), LOOSER)
def test_an_environment_that_lets_more_pass(pointer: str, before: object, after: object) -> None:
    assert loosens_environment(Field(pointer, before, after))


@pytest.mark.parametrize(("pointer", "before", "after"), TIGHTER)
def test_an_environment_that_does_not(pointer: str, before: object, after: object) -> None:
    assert not loosens_environment(Field(pointer, before, after))


@pytest.mark.parametrize(
    ("field", "tight", "loose"),
    [
        ("model.name", "chat", "other"),
        ("follows", None, {"alias": "mine"}),
        ("model.quarantine", ["3", "4"], ["4"]),
        ("model.digest", "sha256:0", None),
        ("serving.trustRemoteCode", None, True),
        ("weights.endpoint", None, "https://other.example.com"),
    ],
)
def test_a_release_that_lets_more_pass(field: str, tight: object, loose: object) -> None:
    changed = loosens_release({field: tight}.get, {field: loose}.get)
    assert [name for name, _, _ in changed] == [field]
    assert not list(loosens_release({field: tight}.get, {field: tight}.get))


def test_a_release_that_lets_less_pass() -> None:
    for field, loose, tight in (("model.quarantine", ["4"], ["3", "4"]), ("model.digest", "", "x")):
        assert not list(loosens_release({field: loose}.get, {field: tight}.get))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"min": 0.7}, False),
        ({"min": 0.5}, True),
        ({"min": None}, True),
        ({"max": 0.9}, False),
        ({"maxRegression": 0.01}, False),
        ({"dataset": "other@1"}, False),
        ({"better": "lower"}, True),
        ({"min": 0.7, "unheard-of": 1}, True),
    ],
)
def test_a_gate_that_may_be_met_more_easily(change: dict[str, object], expected: bool) -> None:  # noqa: FBT001  # a case
    gate = {"metric": "mmlu/acc", "min": 0.6}
    changed = {key: value for key, value in {**gate, **change}.items() if value is not None}
    assert lets_more(gate, changed) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"users": ["bot"]}, False),
        ({"users": ["bot"]}, {"users": ["bot"], "experiments": ["e"]}, False),
        ({"users": ["bot", "ada"]}, {"users": ["bot"]}, False),
        ({"users": ["bot"]}, {"users": ["bot", "ada"]}, True),
        ({"users": ["bot"]}, {"experiments": ["e"]}, True),
        ({"users": ["bot"]}, None, True),
    ],
)
def test_a_gate_that_counts_more_writers(
    before: object,
    after: object,
    expected: bool,  # noqa: FBT001  # a case
) -> None:
    old, new = (
        {"metric": "toxicity", **({"measuredBy": one} if one else {})} for one in (before, after)
    )
    assert lets_more(old, new) == expected


def test_policies_are_told_apart_by_kind_namespace_and_name() -> None:
    first = b"{kind: ConfigMap, metadata: {name: a, namespace: 'n'}}"
    text = first + b"\n---\n{kind: Other, metadata: {name: a}}"
    files = {"policies/x.yaml": text, "policies/waivers.yaml": text, "policies/broken.yaml": b"["}
    assert set(policy_objects(files)) == {("ConfigMap", "n", "a"), ("Other", "", "a")}
