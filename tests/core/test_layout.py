"""Which file is what: paths that are ours, and paths that no name can lead out of."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import layout
from sluice.core.layout import Key
from support import hostile, trees

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True)
KEYS = st.builds(Key, NAMES, NAMES, NAMES)


@given(KEYS)
def test_every_path_of_a_release_leads_back_to_it(key: Key) -> None:
    assert layout.release_of(layout.release_path(key)) == key
    assert layout.release_of(layout.rollout_path(key)) == key
    assert layout.environment_of(layout.environment_path(key.environment)) == key.environment
    assert layout.belongs(layout.evidence_path(key, "8"))
    applications = f"{layout.argocd_directory(key.environment)}/{key.team}"
    for rendered in (
        layout.release_directory(key) + "/service.yaml",
        layout.routes_directory(key) + "/httproute.yaml",
        layout.routes_application_path(key),
        f"{applications}/application-{key.name}.yaml",
    ):
        assert layout.rendered_for(rendered) == key
    assert layout.rendered_for(layout.cluster_directory(key.environment) + "/x.yaml") is None


@given(KEYS, KEYS)
def test_two_releases_never_share_a_directory(left: Key, right: Key) -> None:
    inside = layout.release_directory(left) + "/"
    assert (layout.release_directory(right) + "/").startswith(inside) == (left == right)


@pytest.mark.parametrize(
    "path",
    [
        "environments/production/release.yaml",
        "environments/production/platform/release.yaml",
        "environments/production/platform/chat/extra/release.yaml",
        "environments/production/platform/chat/release.yml",
        "environments/production/platform/chat/my-release.yaml",
        "environments/Production/environment.yaml",
        "environments/../environment.yaml",
        "environments/production/../chat/release.yaml",
        "environments/production/_argocd/chat/release.yaml",
        "environments/production/platform/chat/release.yaml\n",
        "environments/production/platform/chat/evidence/../release.yaml",
        "environments/production/platform/chat/evidence/a/b.json",
    ],
)
def test_a_file_at_another_place_is_not_ours(path: str) -> None:
    assert layout.release_of(path) is None
    assert layout.environment_of(path) is None
    assert not layout.belongs(path)


@given(st.sampled_from(hostile.TEXTS) | st.text(max_size=10))
def test_no_text_in_place_of_a_name_makes_a_path_ours_that_leads_elsewhere(name: str) -> None:
    key = layout.release_of(f"environments/production/{name}/chat/release.yaml")
    if key is not None:
        assert key.team == name
        assert not {".", "/", "_", "\n"} & set(name)


def test_the_rendered_files_of_a_release_are_named_after_their_objects() -> None:
    assert layout.file_name("Deployment", "chat-v7", "chat") == "deployment-v7.yaml"
    assert layout.file_name("Service", "chat", "chat") == "service.yaml"
    assert layout.file_name("ResourceQuota", "accelerators", "models") == (
        "resourcequota-accelerators.yaml"
    )


@pytest.mark.parametrize("folder", trees.cases("valid"), ids=lambda path: path.name)
def test_every_rendered_file_is_a_manifest_below_manifests(folder: Path) -> None:
    for path in trees.outcome(trees.case(folder))[1]:
        name = path.rpartition("/")[2]
        assert path.startswith("manifests/")
        assert name.endswith(".yaml")
        assert name not in ("kustomization.yaml", "Chart.yaml", "values.yaml")
        assert ".." not in path
