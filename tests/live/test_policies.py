"""The policies on a real API server: they compile there, and decide as `sluice policy` does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live.cluster import Cluster
from live.courtroom import Answer, Courtroom
from live.policies import POLICIES, in_force, read_policy_file
from live.processes import wait_for
from sluice.commands.policy_test import _read_table
from sluice.core.policy.evaluate import Decision
from sluice.core.policy.plan import compile_policy
from sluice.core.policy.table import Outcome, read_cases, run_case

TOP = Path(__file__).parents[2]
FILES = sorted((TOP / "policies").glob("*.yaml"))
VERSION = (1, 34)
FAILED = "resulted in error:"
"""After it come the words of a library, which are not the same in Go and here."""
REFUSED = (Decision.DENY, Decision.ERROR)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def policy(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_it_compiles_without_a_warning(cluster: Cluster, policy: Path) -> None:
    objects = read_policy_file(policy)
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
    courtroom: Courtroom, policy: Path, notes: list[str]
) -> None:
    table = _read_table(str(policy.parent / "tests" / policy.name))
    plan = compile_policy(table.policy, VERSION)
    cases = read_cases(table.part, VERSION, table.params)
    outcomes = [run_case(plan, table.bindings, case, blamed=False) for case in cases]
    courtroom.prepare(cases)
    with in_force(courtroom.cluster, read_policy_file(policy)):
        answers = [courtroom.ask(number, case) for number, case in enumerate(cases)]
    pairs = list(zip(outcomes, answers, strict=True))
    stored = [(outcome, answer) for outcome, answer in pairs if answer.decided]
    for outcome, answer in pairs:
        if not answer.decided:
            notes.append(f"{policy.name}, {outcome.case.name}: not asked, {answer.message[:200]}")
    differences = [_difference(*pair) for pair in stored if not _agree(*pair)]
    assert not differences, "\n".join(differences)
    assert len(stored) * 2 > len(pairs)


def _agree(outcome: Outcome, answer: Answer) -> bool:
    """Whether both refuse, the server for one of our reasons, or both allow."""
    if outcome.decision not in REFUSED:
        return not answer.refused
    ours = [text.partition(FAILED)[0] for text in outcome.messages]
    return answer.refused and any(text in answer.message for text in ours)


def _difference(outcome: Outcome, answer: Answer) -> str:
    ours = f"{outcome.decision} {'; '.join(outcome.messages)}"
    return f"{outcome.case.name}: {ours} here, there {answer.status} {answer.message}"
