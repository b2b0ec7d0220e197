"""What a rollout takes, against numbers that were worked out by hand."""

from collections.abc import Mapping

import pytest
import yaml

from sluice.core.plan.rollout import Outlook, outlook
from support import trees

CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 10, "soak": "1h"}, {"weight": 50, "soak": "30m"}],
    "rollbackWindow": "1h",
}
FOUR_BY_FOUR = {
    "accelerator": {"name": "nvidia-h100-80gb", "count": 4},
    "scaling": {"replicas": 4},
    "rollout": CANARY,
}
"""Four replicas of four devices each, at 10 % and at 50 %, and kept warm for an hour."""


def found(
    spec: Mapping[str, object],
    rate: float = 2.0,
    quota: int = 32,
    traffic: Mapping[str, object] | None = None,
) -> Outlook:
    files = trees.base()
    environment = yaml.safe_load(files[trees.ENVIRONMENT])
    environment["spec"]["accelerators"] |= {"quota": quota, "prices": {"nvidia-h100-80gb": 3.0}}
    environment["spec"]["monitoring"] = {"prometheus": {"address": "http://prometheus:9090"}}
    environment["spec"] |= {"traffic": traffic} if traffic else {}
    release = yaml.safe_load(files[trees.RELEASE])
    release["spec"] |= spec
    changed = {trees.ENVIRONMENT: environment, trees.RELEASE: release}
    files |= {path: yaml.safe_dump(data).encode() for path, data in changed.items()}
    workspace = trees.workspace_of(files)
    assert [each for each in workspace.check() if each.rule != "FIT001"] == []
    (chosen,) = workspace.specs.releases.values()
    return outlook(chosen, workspace.specs, workspace.tools.catalog, rate)


def with_rollout(**more: object) -> dict[str, object]:
    return {**FOUR_BY_FOUR, "rollout": {**CANARY, **more}}


def test_exposure_hours_and_cost_of_a_canary_with_fixed_replicas() -> None:
    plan = found(FOUR_BY_FOUR)
    stages = {stage.name: stage for stage in plan.stages}
    assert [stages[name].devices for name in ("warming", "step 1", "step 2", "promoting")] == [
        16,
        16,
        16,
        16,
    ]
    assert stages["step 1"].requests == 2 * 3600 * 0.10
    assert stages["step 2"].requests == 2 * 1800 * 0.50
    assert [stage.hours for stage in plan.stages] == [0, 16, 8, 16]
    assert [stage.cost for stage in plan.stages] == [0, 48, 24, 48]
    assert plan.left == {"devices": 0}
    assert plan.fits


def test_the_quota_must_hold_both_versions() -> None:
    assert not found(FOUR_BY_FOUR, quota=31).fits
    assert found({**FOUR_BY_FOUR, "rollout": {"strategy": "recreate"}}, quota=16).fits


def test_a_scaled_version_grows_with_its_share() -> None:
    scaled = {"min": 1, "max": 4, "target": {"runningRequests": 8}}
    plan = found({**FOUR_BY_FOUR, "scaling": scaled})
    assert [stage.devices for stage in plan.stages] == [4, 8, 16, 16]
    assert [stage.hours for stage in plan.stages] == [0, 8, 8, 16]


def test_copies_need_as_many_devices_as_answers_do() -> None:
    scaled = {"min": 1, "max": 4, "target": {"runningRequests": 8}}
    steps = [{"weight": 0, "soak": "1h"}]
    shadow = {"strategy": "shadow", "mirror": 50, "steps": steps}
    mesh = {"provider": "istio", "host": "a.example.com", "gateway": {"name": "g"}}
    plan = found({**FOUR_BY_FOUR, "scaling": scaled, "rollout": shadow}, traffic=mesh)
    (step,) = (stage for stage in plan.stages if stage.name == "step 1")
    assert (step.requests, step.copies, step.devices) == (0, 2 * 3600 * 0.5, 16)


@pytest.mark.parametrize(("strategy", "more"), [("rolling", 4), ("recreate", 0)])
def test_kubernetes_replaces_pods_without_a_second_version(strategy: str, more: int) -> None:
    plan = found({**FOUR_BY_FOUR, "rollout": {"strategy": strategy}})
    (stage,) = plan.stages
    assert (stage.name, stage.weight, stage.devices) == ("replacing", 100, more)
    assert any("nothing is judged" in note for note in plan.notes)
    assert any("it is down" in note for note in plan.notes) == (strategy == "recreate")


def test_a_controller_that_follows_the_weight_starts_no_more_than_the_share_needs() -> None:
    plan = found(with_rollout(controller="argo-rollouts"))
    assert [stage.devices for stage in plan.stages] == [4, 4, 8, 4]
    assert any("Git names the version that failed" in note for note in plan.notes)


def test_a_controller_that_copies_keeps_no_old_version_and_says_so() -> None:
    steps = [{"weight": 10, "soak": "1h"}, {"weight": 50, "soak": "1h"}]
    rollout = {"strategy": "canary", "controller": "flagger", "steps": steps}
    plan = found({**FOUR_BY_FOUR, "scaling": {"replicas": 1}, "rollout": rollout})
    assert [stage.name for stage in plan.stages] == ["warming", "step 1", "step 2", "copying"]
    assert all(stage.longest == 3600 for stage in plan.stages)
    assert any("loads the weights once more" in note for note in plan.notes)
