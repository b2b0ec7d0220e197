"""Conditions on people and on other environments, and what a rollback is excused from."""

from collections.abc import Sequence
from typing import Any

import pytest

from sluice.core.gates.conditions import (
    Circumstances,
    asks_history,
    is_rollback,
    judge_all,
    waits,
)
from sluice.core.gates.serving_periods import State, Tenure, tenures
from sluice.core.layout import Key
from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.core.specs.resolve import Release
from support import trees

HERE, THERE = Key("production", "platform", "chat"), Key("staging", "platform", "chat")
MODEL = "support-chat"
HOUR = 3600
NOW = 100 * HOUR
SOAK = {"soak": {"environment": "staging", "duration": "24h"}}
APPROVAL = {"approval": {"tag": "approved-by"}}


def release(*gates: dict[str, Any], promotion: dict[str, Any] | None = None) -> Release:
    found = trees.workspace_of(trees.base()).specs.releases[HERE]
    found.document.data["spec"]["gates"] = list(gates)
    found.environment.document.data["spec"]["promotion"] = promotion or {}
    return found


def version(**tags: str) -> ModelVersion:
    return ModelVersion(MODEL, "8", "pvc://models/8", created=0, updated=0, tags=tags)


def about(*there: Tenure, here: Sequence[Tenure] = ()) -> Circumstances:
    return Circumstances(NOW, {THERE: there, HERE: here})


def soaked(*there: Tenure) -> Any:  # noqa: ANN401  # a gate's result
    found = release(SOAK)
    return judge_all(found, version(), Evaluation(), None, about(*there))[0]


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (76, None, ""),
        (77, None, "long enough from 1970-01-05 05:00 UTC on"),
        (10, 34, ""),
        (10, 33, "not for so long"),
    ],
)
def test_a_soak_is_a_time_in_one_piece(since: int, until: int | None, said: str) -> None:
    tenure = Tenure(MODEL, "8", since * HOUR, None if until is None else until * HOUR)
    result = soaked(tenure)
    assert result.passed == (not said)
    assert result.waiting == bool(said)
    assert said in result.reason


def test_what_is_said_of_a_soak_that_passed_does_not_grow_with_it() -> None:
    found, tenure = release(SOAK), {THERE: (Tenure(MODEL, "8", 0),)}
    results = [
        judge_all(found, version(), Evaluation(), None, Circumstances(now, tenure))[0]
        for now in (NOW, NOW + HOUR)
    ]
    assert results[0] == results[1]
    assert results[0].note == "it served there from 1970-01-01 00:00 UTC on"


def test_two_short_times_are_not_a_long_one() -> None:
    pieces = (Tenure(MODEL, "8", 0, 20 * HOUR), Tenure(MODEL, "8", 30 * HOUR, 50 * HOUR))
    assert "not for so long" in soaked(*pieces).reason


@pytest.mark.parametrize("other", [Tenure(MODEL, "7", 0), Tenure("other", "8", 0)])
def test_what_another_version_or_model_served_does_not_count(other: Tenure) -> None:
    assert "has not served there" in soaked(other).reason


@pytest.mark.parametrize(
    ("gate", "tags", "passes"),
    [
        ({}, {"approved-by": "ada"}, True),
        ({}, {"approved-by": "  "}, False),
        ({}, {}, False),
        ({"values": ["ada", "grace"]}, {"approved-by": "grace"}, True),
        ({"values": ["ada", "grace"]}, {"approved-by": "eve"}, False),
        ({"values": ["ada"]}, {"approved-by": "Ada"}, False),
    ],
)
def test_an_approval_is_a_tag(gate: dict[str, Any], tags: dict[str, str], *, passes: bool) -> None:
    found = release({"approval": {"tag": "approved-by", **gate}})
    (result,) = judge_all(found, version(**tags), Evaluation(), None, Circumstances())
    assert (result.passed, result.waiting) == (passes, not passes)
    found_tag = tags.get("approved-by", "").strip()
    assert repr(found_tag) in (result.note or result.reason) or not found_tag
    assert "not set, but" not in result.reason


def test_conditions_of_the_environment_come_before_those_of_the_release() -> None:
    toxic = {"metric": "toxicity", "max": 0.1}
    found = release(APPROVAL, promotion={"gates": [toxic]})
    results = judge_all(found, version(), Evaluation(), None, Circumstances())
    assert [result.metric for result in results] == ["toxicity", "approval"]
    assert [result.failed for result in results] == [True, False]


WORSE = Evaluation({"acc": Measurement(0.6)}), Evaluation({"acc": Measurement(0.8)})
GATES = ({"metric": "acc", "maxRegression": 0.01}, {"metric": "acc", "min": 0.5})


def test_going_back_to_a_worse_version_is_left_to_a_person() -> None:
    served = about(here=[Tenure(MODEL, "8", 0, HOUR)])
    found = release(*GATES)
    assert is_rollback(found, version(), served)
    first, second = judge_all(found, version(), *WORSE, served)
    assert (first.passed, first.waiting, second.passed) == (False, True, True)
    new = judge_all(found, version(), *WORSE, about())
    assert new[0].failed


def test_going_back_to_an_unsafe_version_is_refused() -> None:
    served = about(here=[Tenure(MODEL, "8", 0, HOUR)])
    found = release({"metric": "acc", "min": 0.9})
    assert judge_all(found, version(), *WORSE, served)[0].failed


FREEZE = {"freezes": [{"from": "1970-01-01T00:00", "to": "1999-01-01T00:00", "reason": "holidays"}]}


def test_a_freeze_holds_what_is_new_and_never_a_rollback() -> None:
    found = release(promotion=FREEZE)
    assert waits(found, version(), (), about()) == (
        "a freeze (holidays) ends at 1999-01-01 00:00 UTC",
    )
    served = about(here=[Tenure(MODEL, "8", 0, HOUR)])
    assert waits(found, version(), (), served) == ()


def test_history_is_read_only_where_it_can_decide() -> None:
    def asked(found: Release) -> list[Key]:
        return asks_history(found, version(), *WORSE, NOW)

    assert asked(release(GATES[1])) == []
    assert asked(release(GATES[0])) == [HERE]
    assert asked(release(SOAK)) == [THERE]
    assert asked(release(promotion=FREEZE)) == [HERE]


def test_tenures_begin_after_the_rollout_and_end_with_the_next_version() -> None:
    states = [
        State(1, MODEL, "7"),
        State(2, MODEL, "7"),
        State(3, MODEL, "8", rolling=True),
        State(5, MODEL, "8"),
        State(8, MODEL, "7"),
        State(9),
        State(12, MODEL, "7"),
    ]
    assert tenures(states) == [
        Tenure(MODEL, "7", 1, 3),
        Tenure(MODEL, "8", 5, 8),
        Tenure(MODEL, "7", 8, 9),
        Tenure(MODEL, "7", 12),
    ]
