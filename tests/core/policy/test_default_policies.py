"""The default policies: their tables hold, every supported version takes them, nothing slips by."""

from pathlib import Path

import pytest
import yaml

from sluice.commands import policy_test
from sluice.core.policy.admission import admit
from sluice.core.policy.evaluate import Decision, evaluate
from sluice.core.policy.layer import read_policies
from sluice.core.policy.plan import compile_policy
from sluice.workspace.workspace import Workspace
from support import trees

POLICIES = trees.ROOT / "policies"
FILES = {f"policies/{path.name}": path.read_bytes() for path in sorted(POLICIES.glob("*.yaml"))}
TABLES = sorted((POLICIES / "tests").glob("*.yaml"))


def names(path: Path) -> str:
    return path.stem


def test_every_policy_has_a_table_and_every_table_a_policy() -> None:
    assert {path.name for path in TABLES} == {path.rpartition("/")[2] for path in FILES}


@pytest.mark.parametrize("table", TABLES, ids=names)
def test_the_cases_of_a_table_pass(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = policy_test.run(paths=[str(table)], mutation=False, minimum_score=None, form="text")
    assert code == 0, capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES, ids=names)
def test_the_cases_notice_nearly_every_change(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = policy_test.run(paths=[str(table)], mutation=True, minimum_score=0.87, form="text")
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("version", [(1, 30), (1, 34), (1, 37)], ids=str)
def test_every_version_takes_every_policy(version: tuple[int, int]) -> None:
    for policy in read_policies(FILES).policies:
        assert compile_policy(policy, version).problems == ()


def test_every_policy_says_why_and_what_to_do_and_is_bound() -> None:
    for path, raw in FILES.items():
        policy, binding = list(yaml.safe_load_all(raw))[:2]
        annotations = policy["metadata"]["annotations"]
        assert annotations["sluice.dev/reason"], path
        assert annotations["sluice.dev/remedy"], path
        assert binding["spec"]["policyName"] == policy["metadata"]["name"], path
        assert all(one["message"] for one in policy["spec"]["validations"]), path


def test_no_policy_is_stopped_for_its_cost_on_a_large_object() -> None:
    some = {"resources": {"limits": {"nvidia.com/gpu": "1"}}, "securityContext": {}}
    env = [{"name": f"V{index}", "value": "x" * 100} for index in range(50)]
    containers = [{"name": f"c{n}", "image": "a:1", "env": env, **some} for n in range(50)]
    spec = {"containers": containers, "nodeSelector": {f"k{n}": "v" for n in range(20)}}
    metadata = {"name": "large", "labels": {"sluice.dev/release": "a"}}
    template = {"metadata": metadata, "spec": spec}
    large = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    request = admit({**large, "spec": {"template": template}})
    for policy in read_policies(FILES).policies:
        (result,) = evaluate(compile_policy(policy, (1, 34)), (), request, blamed=False)
        assert result.decision is not Decision.ERROR, result


def test_the_list_of_accelerators_is_what_the_environment_allows() -> None:
    workspace = Workspace(trees.base())
    manifests = workspace.tools.renderer.environment(
        next(iter(workspace.specs.environments.values()))
    )
    (listed,) = [m.data for m in manifests if m.data["kind"] == "ConfigMap"]
    assert listed["metadata"]["name"] == "sluice-allowed-accelerators"
    assert "nvidia.com/gpu" in listed["data"]["resources"].split("\n")
    assert "nvidia.com/gpu.product=NVIDIA-L40S" in listed["data"]["nodeLabels"].split("\n")
