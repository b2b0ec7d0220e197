"""The repository's policies in `sluice check`: what the cluster would refuse, before the merge."""

import shutil
from pathlib import Path

import pytest

from support.command_line import change, sluice, tree
from support.git_fixtures import run_git
from support.loop import SPEC

__all__ = ["tree"]

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: keep-replicas
spec:
  matchConstraints:
    resourceRules:
      - apiGroups: ["autoscaling"]
        apiVersions: ["v2"]
        operations: [OPERATION]
        resources: ["horizontalpodautoscalers"]
  validations:
    - expression: EXPRESSION
      message: not so
"""


def policy(top: Path, expression: str, operation: str = "CREATE", file: str = "extra.yaml") -> None:
    text = POLICY.replace("EXPRESSION", expression).replace("OPERATION", operation)
    (top / "policies" / file).write_text(text)


def test_what_a_policy_denies_is_an_error_that_names_object_and_policy(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas < 3")
    done = sluice("check", cwd=tree)
    assert done.returncode == 1
    assert "release.yaml:29:10: error[POL010/keep-replicas] spec.maxReplicas: not so" in done.stdout
    assert "chat/horizontalpodautoscaler.yaml:21:16" in done.stdout
    assert "policies/extra.yaml:13:" in done.stdout


def test_an_expression_that_does_not_compile_is_an_error_at_its_place(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas.startsWidth('1')")
    done = sluice("check", cwd=tree)
    assert (done.returncode, "policies/extra.yaml:13:" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "broken",
    [
        "a: [\n",
        pytest.param("kind: ValidatingAdmissionPolicy\n", marks=pytest.mark.slow),
        pytest.param("- a\n", marks=pytest.mark.slow),
        pytest.param(POLICY, marks=pytest.mark.slow),
        pytest.param("!!binary aGVsbG8=\n", marks=pytest.mark.slow),
    ],
    ids=["no YAML", "no policy", "a list", "does not compile", "binary"],
)
def test_the_other_policies_judge_all_the_same(tree: Path, broken: str) -> None:
    policy(tree, "object.spec.maxReplicas < 3")
    (tree / "policies" / "broken.yaml").write_text(broken.replace("keep-replicas", "other"))
    done = sluice("check", cwd=tree)
    assert done.returncode == 1
    assert "error[POL010/keep-replicas] spec.maxReplicas: not so" in done.stdout
    assert "policies/broken.yaml:" in done.stdout


CRASHING = "{'a': 1}.transformMapEntry(k, v, {'x': dyn(optional.of(1))}).size() == 1"


def test_a_policy_of_the_base_that_ends_the_engine_ends_nothing_else(tree: Path) -> None:
    policy(tree, f'"{CRASHING}"', "UPDATE")
    run_git(tree, "add", "--all")
    run_git(tree, "commit", "--message", "a policy")
    (tree / "policies" / "extra.yaml").unlink()
    change(tree, SPEC, "max: 4", "max: 5")
    assert sluice("render", cwd=tree).returncode == 0
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert done.returncode == 0, done.stderr
    assert "warning[RUL002] a rule of the base does not work" in done.stdout


def test_a_transition_is_judged_against_the_base(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas <= oldObject.spec.maxReplicas", "UPDATE")
    run_git(tree, "add", "--all")
    run_git(tree, "commit", "--message", "a policy")
    change(tree, SPEC, "max: 4", "max: 5")
    assert sluice("render", cwd=tree).returncode == 0
    assert sluice("check", cwd=tree).returncode == 0
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, "POL010" in done.stdout) == (1, True)
    change(tree, SPEC, "max: 5", "max: 3")
    assert sluice("render", cwd=tree).returncode == 0
    assert sluice("check", "--base", "HEAD", cwd=tree).returncode == 0


def _guarded(tree: Path) -> None:
    policy(tree, "oldObject.spec.maxReplicas == 0", "DELETE")
    run_git(tree, "add", "--all")
    run_git(tree, "commit", "--message", "a policy")


def test_what_goes_with_its_environment_is_deleted(tree: Path) -> None:
    _guarded(tree)
    shutil.rmtree(tree / "environments" / "production")
    assert sluice("render", cwd=tree).returncode == 0
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, "POL010/keep-replicas" in done.stdout) == (1, True)
    assert "environments/production/" in done.stdout


def test_what_moves_to_another_namespace_is_deleted_in_the_first(tree: Path) -> None:
    _guarded(tree)
    environment = "environments/production/environment.yaml"
    change(tree, environment, "namespace: ai-inference", "namespace: elsewhere")
    assert sluice("render", cwd=tree).returncode == 0
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, "POL010/keep-replicas" in done.stdout) == (1, True)


def test_an_object_that_only_moves_to_another_team_is_updated(tree: Path) -> None:
    _guarded(tree)
    team = (tree / SPEC).parent.parent
    team.rename(team.with_name("another"))
    assert sluice("render", cwd=tree).returncode == 0
    assert "POL010" not in sluice("check", "--base", "HEAD", cwd=tree).stdout


def test_a_binding_that_selects_namespaces_is_honoured(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas < 3")
    binding = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: keep-replicas
spec:
  policyName: keep-replicas
  validationActions: [ACTION]
  matchResources:
    namespaceSelector:
      matchLabels:
        sluice.dev/environment: ENVIRONMENT
"""
    for environment, action, code in (
        ("staging", "Deny", 0),
        ("production", "Warn", 0),
        ("production", "Deny", 1),
    ):
        text = binding.replace("ENVIRONMENT", environment).replace("ACTION", action)
        (tree / "policies" / "binding.yaml").write_text(text)
        done = sluice("check", cwd=tree)
        assert done.returncode == code
        assert ("warning[POL010/keep-replicas]" in done.stdout) == (action == "Warn")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_one_policy_on_one_object(tree: Path, decision: str) -> None:
    policy(tree, f"object.spec.maxReplicas {'>' if decision == 'allow' else '<'} 3")
    scaler = tree / "manifests/production/platform/chat/horizontalpodautoscaler.yaml"
    done = sluice("policy", "eval", "--policy", tree / "policies/extra.yaml", "--object", scaler)
    assert done.stdout.startswith(decision)
    assert done.returncode == (decision == "deny")


def test_a_waiver_lets_a_finding_pass_until_its_day(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas < 3")
    entry = "{rule: POL010/keep-replicas, release: production/platform/chat, owner: a, reason: b"
    waivers = tree / "policies" / "waivers.yaml"
    waivers.write_text(f"waivers: [{entry}, expires: 2999-01-01}}]\n")
    done = sluice("check", cwd=tree)
    assert done.returncode == 0, done.stdout
    assert "waived[POL010/keep-replicas]" in done.stdout
    assert "1 waived" in done.stdout
    waivers.write_text(f"waivers: [{entry}, expires: 2020-01-01}}]\n")
    done = sluice("check", cwd=tree)
    assert done.returncode == 1
    assert "policies/waivers.yaml:1:11: error[WAV002]" in done.stdout
    assert "error[POL010/keep-replicas]" in done.stdout
    assert "error[WAV002]" in sluice("validate", cwd=tree).stdout


def test_annotations_come_to_the_changed_line_first(tree: Path) -> None:
    policy(tree, "object.spec.maxReplicas < 3", "UPDATE")
    run_git(tree, "add", "--all")
    run_git(tree, "commit", "--message", "a policy")
    change(tree, SPEC, "max: 4", "max: 5")
    assert sluice("render", cwd=tree).returncode == 0
    lines = sluice("check", "--base", "HEAD", "--format", "github", cwd=tree).stdout.splitlines()
    assert lines[0].startswith("::error file=environments/production/platform/chat/release.yaml,")
