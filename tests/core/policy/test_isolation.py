"""A policy that ends what judges it ends nothing else."""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from sluice.commands import policy_eval
from sluice.core.finding import Finding, FindingsError, Place, UsageError
from sluice.core.policy.model import Policy
from sluice.system import isolation
from sluice.system.isolation import Begin, Died, run_isolated
from sluice.workspace.policies_apart import judge_apart
from support.policies import policy_of

CRASHING = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: crashing}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: ["*"]}]
  validations:
    - expression: "{'a': 1}.transformMapEntry(k, v, {'x': dyn(optional.of(1))}).size() == 1"
"""
SOUND = CRASHING.replace("crashing", "sound").partition("  validations")[0] + (
    "  validations: [{expression: object.metadata.name != 'web'}]\n"
)
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"


def _killed_by(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _fill_memory() -> None:
    bytearray(2 * isolation.MEMORY)


def _recurse() -> None:
    _recurse()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (_killed_by(signal.SIGSEGV), "ends the CEL engine"),
        (_killed_by(signal.SIGVTALRM), "takes more than"),
        (_killed_by(signal.SIGKILL), "memory"),
        (_fill_memory, "takes more memory than it may"),
        (_recurse, "nested too deeply"),
    ],
)
def test_what_ends_the_child_is_told_with_its_step(end: Callable[[], None], reason: str) -> None:
    def work(begin: Begin) -> None:
        begin(0)
        begin(4)
        end()

    outcome = run_isolated(work)
    assert isinstance(outcome, Died)
    assert outcome.step == 4
    assert reason in outcome.reason


def test_a_step_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "STEP_SECONDS", 0.05)

    def work(begin: Begin) -> None:
        begin(1)
        while True:
            pass

    outcome = run_isolated(work)
    assert isinstance(outcome, Died)
    assert outcome.step == 1


def test_work_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "STANDSTILL_SECONDS", 0.2)
    lock = threading.Lock()
    with lock:  # as another thread's, which does not come along

        def work(begin: Begin) -> None:
            begin(2)
            lock.acquire()

        outcome = run_isolated(work)
    assert isinstance(outcome, Died)
    assert outcome.step == 2
    assert "come to an end" in outcome.reason


@pytest.mark.parametrize(
    "error", [UsageError("no engine"), FindingsError([Finding(Place("a", 2, 3), "POL001", "bad")])]
)
def test_expected_errors_come_out_as_they_were(error: Exception) -> None:
    def work(_begin: Begin) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_isolated(work)


def test_a_defect_in_the_child_is_shown_with_its_trace() -> None:
    def work(_begin: Begin) -> None:
        raise KeyError("gone")

    with pytest.raises(RuntimeError, match="KeyError: 'gone'"):
        run_isolated(work)


def test_the_others_are_judged_without_the_one_that_ends_it() -> None:
    policies = [policy_of({"validations": [{"expression": "true"}]}) for _ in range(3)]

    def judge(some: Sequence[Policy], begin: Begin) -> int:
        for index, policy in enumerate(some):
            begin(index)
            if policy is policies[1]:
                os.abort()
        return len(some)

    judged, (finding,) = judge_apart(policies, judge)
    assert judged == 2
    assert finding.rule == "POL005"
    assert finding.help


def test_an_end_before_any_policy_is_no_policys_fault() -> None:
    with pytest.raises(UsageError, match="cannot be judged"):
        judge_apart([], lambda _some, _begin: os.abort())


def test_a_policy_that_crashes_the_engine_is_a_finding_at_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policies, objects = tmp_path / "p.yaml", tmp_path / "o.yaml"
    policies.write_text(f"{CRASHING}---\n{SOUND}")
    objects.write_text(OBJECT)
    nothing: Mapping[str, Sequence[str]] = dict.fromkeys(
        ("bindings", "old", "params", "namespace"), ()
    )
    code = policy_eval.run(
        policies=[str(policies)],
        objects=[str(objects)],
        operation=None,
        kubernetes_version="1.34",
        form="text",
        **nothing,
    )
    out, err = capfd.readouterr()
    assert code == 1
    assert "deny  sound" in out
    assert f"{policies}:3:18: error[POL005] policy crashing" in err
