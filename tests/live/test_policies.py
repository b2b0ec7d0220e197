"""The policies on a real API server: they compile there, and decide as `sluice policy` does."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from live.cluster import Cluster
from live.policies import POLICIES, Courtroom, in_force
from live.processes import wait_for
from sluice.commands.policy_test import _policy, _table
from sluice.core.policy.table import Case, Outcome, read_cases, run_case

TOP = Path(__file__).parents[2]
FILES = sorted((TOP / "policies").glob("*.yaml"))
VERSION = (1, 34)


def _objects(path: Path) -> list[Any]:
    documents = yaml.safe_load_all(path.read_bytes())
    return [one for one in documents if one and one["kind"].startswith("ValidatingAdmission")]


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def policy(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_it_compiles_without_a_warning(cluster: Cluster, policy: Path) -> None:
    objects = _objects(policy)
    name = objects[0]["metadata"]["name"]

    def status() -> dict[str, Any]:
        found: dict[str, Any] = cluster.ask("GET", f"{POLICIES}/{name}").json().get("status", {})
        return found

    with in_force(cluster, objects):
        wait_for(lambda: "typeChecking" in status(), f"the types of {name} are checked")
        assert status()["typeChecking"].get("expressionWarnings", []) == []


@pytest.fixture
def courtroom(cluster: Cluster, policy: Path) -> Iterator[Courtroom]:
    room = Courtroom(cluster, policy.stem)
    yield room
    room.close()


def test_the_server_decides_each_case_as_we_do(
    courtroom: Courtroom, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, bindings, params = _policy(str(policy), VERSION)
    cases = read_cases(_table(str(policy.parent / "tests" / policy.name)), VERSION, params)
    courtroom.prepare(cases)
    with in_force(courtroom.cluster, _objects(policy)):
        answers = [courtroom.ask(number, case) for number, case in enumerate(cases)]
    wrong, unasked = [], Counter()
    for case, answer in zip(cases, answers, strict=True):
        outcome = run_case(plan, bindings, case, blamed=False)
        if not answer.decided:
            unasked[answer.message[:200]] += 1
        else:
            wrong += _differences(case, outcome, answer)
    with capsys.disabled():
        print(f"\n{policy.stem}: {len(cases)} cases, {sum(unasked.values())} not asked, {len(wrong)} wrong")
        print(*wrong, sep="\n")
        for message, n in unasked.most_common():
            print("  ", n, message)
    assert not wrong, "\n".join(wrong)


def _differences(case: Case, outcome: Outcome, answer) -> list[str]:
    refused = outcome.decision.value in ("deny", "error")
    said = f"{case.name}: we say {outcome.decision} {outcome.messages}, the server {answer.status} {answer.message}"
    if refused != answer.refused:
        return [said]
    if refused and not any(m in answer.message for m in outcome.messages):
        return [said]
    return []
