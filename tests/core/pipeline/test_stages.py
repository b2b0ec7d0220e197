"""The pipeline from a tree of specs to findings and manifests."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core import layout, pipeline
from sluice.core.finding import FindingsError, failed
from sluice.core.layout import Key
from sluice.workspace.workspace import Workspace
from support import hostile, trees

CHAT = Key("production", "platform", "chat")
TWO = trees.case(trees.CASES / "valid" / "two-teams-two-environments")


def test_one_broken_release_does_not_hide_the_findings_of_another() -> None:
    files = trees.replaced(TWO, trees.RELEASE, "name: vllm", "name: vlm")
    rank = "environments/production/search/rank/release.yaml"
    files = trees.replaced(files, rank, "qwen2.5-7b", "qwen2.5-7c")
    assert {f.place.file for f in Workspace(files).check()} == {trees.RELEASE, rank}


def test_findings_come_in_the_order_of_files_and_lines_and_never_twice() -> None:
    folder = trees.CASES / "invalid" / "several-mistakes-at-once"
    findings = trees.outcome(trees.case(folder))[0]
    assert findings == sorted(findings, key=lambda f: (f.place, f.rule, f.message))
    assert len(set(findings)) == len(findings) > 2


def test_rendering_one_release_gives_what_rendering_all_gives_of_it() -> None:
    workspace = Workspace(TWO)
    everything = workspace.render()
    for key in workspace.specs.releases:
        alone = Workspace(TWO).render([key])
        directory, *applications = layout.rendered_paths(key)
        mine = {p for p in everything if p.startswith(f"{directory}/") or p in applications}
        assert set(alone) == mine
        assert all(alone[path].content() == everything[path].content() for path in mine)


def test_an_object_has_one_file_and_a_file_one_object() -> None:
    for folder in trees.cases("valid"):
        manifests = Workspace(trees.case(folder)).render()
        objects = [(path.split("/")[1], *identity(m.data)) for path, m in manifests.items()]
        assert len(set(objects)) == len(objects)


@pytest.mark.parametrize(
    ("path", "releases"),
    [
        (trees.RELEASE, ["production/platform/chat"]),
        ("environments/production/platform/chat/rollout.yaml", ["production/platform/chat"]),
        (trees.ENVIRONMENT, ["production/platform/chat", "production/search/rank"]),
        ("README.md", []),
    ],
)
def test_a_change_affects_the_releases_that_read_the_file(path: str, releases: list[str]) -> None:
    affected = pipeline.affected([path], Workspace(TWO).keys)
    assert affected is not None
    assert [str(key) for key in affected] == releases


def test_a_change_of_the_catalog_affects_everything() -> None:
    assert pipeline.affected([f"{layout.CATALOG}/engines/x.yaml"], Workspace(TWO).keys) is None


def test_a_broken_rollout_keeps_its_release_from_being_rendered_without_it() -> None:
    files = trees.case(trees.CASES / "valid" / "rollout-under-way")
    broken = {**files, trees.SHORT["rollout.yaml"]: b"spec: ["}
    workspace = Workspace(broken)
    assert workspace.specs.releases == {}
    with pytest.raises(FindingsError):
        workspace.render()


def test_a_release_of_a_broken_environment_is_not_rendered() -> None:
    workspace = Workspace({**TWO, trees.ENVIRONMENT: b"spec: ["})
    assert {key.environment for key in workspace.specs.releases} == {"staging"}


VALID = [trees.case(folder) for folder in trees.cases("valid")]


@settings(max_examples=400)
@given(st.data())
def test_a_spec_with_anything_replaced_is_refused_or_rendered_and_never_crashes(
    data: st.DataObject,
) -> None:
    """Values of other fields, hostile texts and numbers at every place of a spec."""
    files = dict(data.draw(st.sampled_from(VALID)))
    path = data.draw(st.sampled_from(sorted(p for p in files if p.endswith(".yaml"))))
    lines = files[path].decode("utf-8-sig").splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    head, colon, _ = lines[number].partition(": ")
    lines[number] = head + colon + data.draw(st.sampled_from(list(_replacements())))
    files[path] = "\n".join(lines).encode(errors="surrogatepass")
    findings, manifests = trees.outcome(files)
    assert failed(findings) != bool(manifests)


def identity(data: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """What identifies an object in a cluster."""
    metadata = data["metadata"]
    return data["apiVersion"], data["kind"], metadata.get("namespace", ""), metadata["name"]


def _replacements() -> Iterator[Any]:
    yield from hostile.TEXTS
    yield from ("7", "0", "-1", "2.0", "true", "[]", "{}", "[a]", "{a: b}", "0s", "9999h", "0Gi")
    yield from ('"7"', "vllm", "canary", "rolling", "chat", "nvidia-l40s", "pvc://a", "a.b", "")
