"""The source map: places in rendered objects lead to the lines that their author wrote."""

from dataclasses import replace

import pytest

from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, Place, Rendered
from sluice.core.pipeline.source_map import located
from sluice.workspace.workspace import Workspace
from support.reference import DIRECTORY, ENVIRONMENT, RELEASE, ROLLOUT, workspace

DEPLOYMENT = f"{DIRECTORY}/deployment-v2.yaml"
STABLE = f"{DIRECTORY}/deployment-v1.yaml"
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)

TABLE = [
    (DEPLOYMENT, ("metadata", "name"), RELEASE, "name: chat"),
    (DEPLOYMENT, ("metadata", "namespace"), ENVIRONMENT, "namespace: ai-inference"),
    (DEPLOYMENT, (*CONTAINER, "image"), ENVIRONMENT, "version: 0.33.0"),
    (DEPLOYMENT, (*CONTAINER, "command", 7), RELEASE, "maxModelLen: 8192"),
    (DEPLOYMENT, (*CONTAINER, "resources", "limits", "memory"), RELEASE, "limit: 32Gi"),
    (DEPLOYMENT, (*CONTAINER, "resources", "requests", "cpu"), ENVIRONMENT, 'request: "4"'),
    (DEPLOYMENT, (*CONTAINER, "resources", "limits", "nvidia.com/gpu"), RELEASE, "count: 1"),
    (DEPLOYMENT, (*POD, "nodeSelector", "nvidia.com/gpu.product"), RELEASE, "name: nvidia-l40s"),
    (DEPLOYMENT, (*POD, "tolerations", 0, "key"), RELEASE, "name: nvidia-l40s"),
    (DEPLOYMENT, (*POD, "terminationGracePeriodSeconds"), RELEASE, "gracePeriod: 120s"),
    (STABLE, (*CONTAINER, "command", 7), ROLLOUT, "maxModelLen: 8192"),
    (STABLE, ("metadata", "labels", "team"), RELEASE, "team: platform"),
    (f"{DIRECTORY}/horizontalpodautoscaler-v2.yaml", ("spec", "maxReplicas"), RELEASE, "max: 8"),
    (
        f"{DIRECTORY}/routes/ingress-canary.yaml",
        ("spec", "rules", 0, "host"),
        ENVIRONMENT,
        "host: api.",
    ),
    (
        f"{DIRECTORY}/routes/ingress-canary.yaml",
        ("metadata", "annotations", "nginx.ingress.kubernetes.io/canary-weight"),
        ROLLOUT,
        "weight: 10",
    ),
    (
        "manifests/production/_environment/resourcequota-accelerators.yaml",
        ("spec", "hard", "requests.nvidia.com/gpu"),
        ENVIRONMENT,
        "quota: 16",
    ),
]


@pytest.fixture(scope="module")
def reference() -> Workspace:
    return workspace({})


def traced(reference: Workspace, path: str, pointer: Pointer) -> Finding:
    manifests = reference.render()
    about = Finding(Place(manifests[path].source), "X", "no", rendered=Rendered(path, pointer))
    (found,) = located([about], reference.specs, manifests, reference.tools.source_map)
    return found


def line(reference: Workspace, place: Place) -> str:
    return reference.files[place.file].decode().splitlines()[place.line - 1].strip()


@pytest.mark.parametrize(("path", "pointer", "file", "said"), TABLE)
def test_a_rendered_value_leads_to_its_line(
    reference: Workspace, path: str, pointer: Pointer, file: str, said: str
) -> None:
    found = traced(reference, path, pointer)
    assert found.place.file == file
    assert line(reference, found.place).startswith(said)


def test_a_missing_value_leads_to_what_its_ancestor_comes_from(reference: Workspace) -> None:
    missing = (*CONTAINER, "resources", "limits", "cpu")
    found = traced(reference, DEPLOYMENT, missing)
    assert line(reference, found.place) == "spec:"  # accelerator and memory have no nearer ancestor


def test_what_no_spec_says_leads_to_the_file(reference: Workspace) -> None:
    assert traced(reference, DEPLOYMENT, ("kind",)).place == Place(RELEASE)


def test_the_rendered_place_has_the_line_of_the_manifest(reference: Workspace) -> None:
    found = traced(reference, DEPLOYMENT, (*CONTAINER, "image"))
    assert found.rendered is not None
    content = reference.render()[DEPLOYMENT].content().decode().splitlines()
    assert "image: " in content[found.rendered.line - 1][: found.rendered.column]


def test_what_is_about_no_manifest_stays_where_it_is(reference: Workspace) -> None:
    about = Finding(Place(RELEASE, 3, 4), "X", "no")
    gone = replace(about, rendered=Rendered("manifests/gone.yaml"))
    moved = located([about, gone], reference.specs, {}, reference.tools.source_map)
    assert list(moved) == [about, gone]
