"""What is rendered for Argo CD is what is left when Argo CD has written it back.

Else the application that has it in Git differs from the live one for ever, and heals itself without
end; seen on 3.5.7 with `directory: {recurse: false}`.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.system import resources
from support import trees
from support.argocd.normal import VERSIONS, Version, normalised

KINDS = ("Application", "AppProject")
SUPPORTED: list[Version] = [version for version in VERSIONS if version >= "3.2"]
ABSENT = object()
Spec = Mapping[str, Any]


# --- the rules themselves


def application(**more: Any) -> dict[str, Any]:  # noqa: ANN401  # parts of a spec
    source = {"repoURL": "https://git/models.git", "path": "app", **more.pop("source", {})}
    return {"project": "p", "destination": {"server": "https://a"}, "source": source, **more}


@pytest.mark.parametrize(
    ("given_", "left"),
    [
        ({"recurse": False}, None),
        ({}, None),
        ({"recurse": True}, {"recurse": True}),
        ({"recurse": False, "exclude": "a.yaml"}, {"exclude": "a.yaml"}),
        ({"exclude": "a.yaml", "include": ""}, {"exclude": "a.yaml"}),
        ({"jsonnet": {}}, None),
    ],
)
def test_a_directory_that_says_nothing_is_dropped(given_: Spec, left: Spec | None) -> None:
    found = normalised("Application", application(source={"directory": given_}))
    assert found["source"].get("directory") == left


@pytest.mark.parametrize(
    ("version", "left"), [("3.3", {"selfHeal": True}), ("3.4", {"prune": False, "selfHeal": True})]
)
def test_until_3_3_what_is_not_automated_is_dropped(version: Version, left: Spec) -> None:
    policy = {"automated": {"prune": False, "selfHeal": True}}
    found = normalised("Application", application(syncPolicy=policy), version)
    assert found["syncPolicy"]["automated"] == left


def test_retries_look_again_since_3_2() -> None:
    spec = application(syncPolicy={"retry": {"limit": 5, "refresh": True}})
    assert normalised("Application", spec, "3.2") == spec
    assert "refresh" not in normalised("Application", spec, "3.1")["syncPolicy"]["retry"]


@pytest.mark.parametrize(
    "lost",
    [
        {"project": ""},
        {"syncPolicy": {}},
        {"syncPolicy": {"syncOptions": []}},
        {"ignoreDifferences": []},
        {"ignoreDifferences": [{"group": "", "kind": "Service"}]},
        {"destination": {"server": "https://a", "namespace": ""}},
        {"source": {"targetRevision": ""}},
        {"unknown": 1},
    ],
)
def test_what_does_not_survive(lost: dict[str, Any]) -> None:
    spec = application(**lost)
    assert normalised("Application", spec) != spec


@pytest.mark.parametrize(
    "kept",
    [
        {"syncPolicy": {"automated": {}}},
        {"syncPolicy": {"syncOptions": ["PruneLast=true"]}},
        {"ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/a"]}]},
        {"revisionHistoryLimit": 0},
    ],
)
def test_what_survives(kept: dict[str, Any]) -> None:
    spec = application(**kept)
    assert normalised("Application", spec) == spec


# --- what is rendered


def values(schema: Spec) -> Iterator[Any]:
    """Every value that a schema allows, of strings one; ABSENT stands for none."""
    if schema["type"] == "boolean":
        yield from (True, False)
    elif schema["type"] == "object":
        required = schema.get("required", ())
        names = list(schema["properties"])
        lists = [
            [*values(_of_type(schema["properties"][name])), *([] if name in required else [ABSENT])]
            for name in names
        ]
        for chosen in product(*lists):
            yield {n: v for n, v in zip(names, chosen, strict=True) if v is not ABSENT}
    else:
        yield schema["examples"][0]


def _of_type(schema: Spec) -> Spec:
    """A name is a string by reference."""
    return schema if "type" in schema else {"type": "string", **schema}


@cache
def options() -> list[dict[str, Any]]:
    """Every combination of the options that an environment has for Argo CD."""
    schema: Any = resources.read_schema("environment.schema.json")
    return list(values(schema["properties"]["spec"]["properties"]["argocd"]))


def not_as_rendered(manifests: Mapping[str, bytes], version: Version) -> dict[str, Any]:
    """The specs that Argo CD would change, by path, as it would leave them."""
    objects = {path: yaml.safe_load(raw) for path, raw in manifests.items()}
    specs = {path: (o["kind"], o["spec"]) for path, o in objects.items() if o["kind"] in KINDS}
    assert specs
    left = {path: normalised(kind, spec, version) for path, (kind, spec) in specs.items()}
    return {path: spec for path, spec in left.items() if spec != specs[path][1]}


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_reference_environments_are_rendered_as_argo_cd_leaves_them(version: Version) -> None:
    manifests = {path: m.content() for path, m in trees.reference().render().items()}
    argocd = {p: raw for p, raw in manifests.items() if "/_argocd/" in p or "/_bootstrap/" in p}
    assert not_as_rendered(argocd, version) == {}


SCALED = "  scaling: {min: 1, max: 2, target: {runningRequests: 10}}\n"
TRAFFIC = "gateway", "istio", "nginx"
RELEASES = {
    "steady": "",
    "scaled": SCALED,
    "elsewhere": (
        "  rollout: {strategy: canary, controller: argo-rollouts, "
        "steps: [{weight: 10, soak: 10m}]}\n"
    ),
}


@given(argocd=st.sampled_from(options()), release=st.sampled_from(sorted(RELEASES)))
@settings(max_examples=60)
def test_every_choice_of_options_is_rendered_as_argo_cd_leaves_it(
    argocd: dict[str, Any], release: str
) -> None:
    files = trees.base()
    environment = yaml.safe_load(files[trees.ENVIRONMENT])
    environment["spec"]["argocd"] = argocd
    environment["spec"]["monitoring"] = {"prometheus": {"address": "http://prometheus:9090"}}
    files[trees.ENVIRONMENT] = yaml.safe_dump(environment).encode()
    files[trees.RELEASE] += RELEASES[release].encode()
    findings, manifests = trees.outcome(files)
    assert [f for f in findings if f.severity == "error"] == []
    argo = {path: raw for path, raw in manifests.items() if b"argoproj.io/v1alpha1" in raw}
    oldest = argocd.get("version", SUPPORTED[0])
    for version in [version for version in VERSIONS if version >= oldest]:
        assert not_as_rendered(argo, version) == {}


def test_all_options_of_the_schema_are_tried() -> None:
    schema: Any = resources.read_schema("environment.schema.json")
    names = frozenset(schema["properties"]["spec"]["properties"]["argocd"]["properties"])
    assert {frozenset(chosen) for chosen in options()} >= {frozenset({"repoURL"}), names}
    automated = [chosen["automated"] for chosen in options() if "automated" in chosen]
    assert all(said in automated for said in ({}, {"prune": False}, {"selfHeal": True}))
