"""Result files of lm-evaluation-harness, of today's form and of older ones."""

import json
import math
from typing import Any

import pytest

from sluice.core.finding import UsageError
from sluice.core.gates.harness import read
from sluice.core.model import Assessment
from support.evaluation_results import FILE


def assessed(data: object = FILE, **renamed: str) -> dict[str, Assessment]:
    found = read(json.dumps(data).encode(), renamed)
    return {each.task: each for each in found}


def changed(section: str, task: str, **values: object) -> dict[str, Any]:
    return {**FILE, section: {**FILE[section], task: {**FILE[section][task], **values}}}


def test_metrics_have_names_that_registries_accept() -> None:
    found = assessed()
    assert found["mmlu"].metrics == {"mmlu/acc": 0.7, "mmlu/acc_stderr": 0.004}
    assert found["gsm8k"].metrics == {
        "gsm8k/exact_match_strict-match": 0.5,
        "gsm8k/exact_match_stderr_strict-match": 0.01,
        "gsm8k/exact_match_flexible-extract": 0.6,
    }


def test_what_was_asked_and_when() -> None:
    found = assessed()["mmlu"]
    assert (found.dataset, found.recorded) == ("cais/mmlu/all", 1_731_655_933_500)
    told = {"version": "2", "shots": "5", "samples": "14042", "harness": "abc123"}
    assert found.parameters == told


@pytest.mark.parametrize(
    ("data", "same_questions", "same_scorers"),
    [
        ({**FILE, "date": 1.0, "git_hash": "other"}, True, True),
        (changed("results", "mmlu", **{"acc,none": 0.1}), True, True),
        (changed("configs", "mmlu", num_fewshot=0), True, False),
        (changed("configs", "mmlu", dataset_name="anatomy"), False, True),
        (changed("n-samples", "mmlu", effective=25), False, True),
        ({**FILE, "versions": {"mmlu": 3}}, True, False),
        ({**FILE, "chat_template": "{{ messages }}"}, True, False),
        ({**FILE, "system_instruction": "Be brief."}, True, False),
        ({**FILE, "fewshot_as_multiturn": True}, True, False),
        ({**FILE, "fewshot_as_multiturn": False, "chat_template": None}, True, True),
    ],
)
def test_two_results_can_be_compared_when_they_asked_and_judged_the_same(
    data: dict[str, Any], *, same_questions: bool, same_scorers: bool
) -> None:
    one, two = assessed()["mmlu"], assessed(data)["mmlu"]
    assert (one.digest == two.digest) == same_questions
    assert (one.scorers == two.scorers) == same_scorers


GROUPED = {
    **FILE,
    "results": {**FILE["results"], "all": {"alias": "all", "acc,none": 0.6, " ": " "}},
    "group_subtasks": {"all": ["maths", "mmlu"], "maths": ["gsm8k", "all"], "gsm8k": []},
}


@pytest.mark.parametrize(
    ("section", "task", "values", "same"),
    [
        ("n-samples", "mmlu", {"effective": 25}, (False, True)),
        ("configs", "gsm8k", {"num_fewshot": 0}, (True, False)),
        ("group_subtasks", "all", None, (False, False)),
        ("results", "mmlu", {"acc,none": 0.1}, (True, True)),
    ],
)
def test_a_group_asked_what_its_tasks_asked(
    section: str, task: str, values: dict[str, Any] | None, same: tuple[bool, bool]
) -> None:
    old = GROUPED[section][task]
    new = ["mmlu"] if values is None else {**old, **values}
    other = {**GROUPED, section: {**GROUPED[section], task: new}}
    one, two = assessed(GROUPED)["all"], assessed(other)["all"]
    assert (one.digest == two.digest, one.scorers == two.scorers) == same


@pytest.mark.parametrize("old", ["mmlu/acc", "mmlu/acc,none"])
def test_a_renamed_metric_takes_its_error_along(old: str) -> None:
    assert assessed(**{old: "mmlu"})["mmlu"].metrics == {"mmlu": 0.7, "mmlu_stderr": 0.004}


def test_a_renamed_metric_with_a_filter() -> None:
    found = assessed(**{"gsm8k/exact_match,strict-match": "math"})["gsm8k"].metrics
    assert (found["math"], found["math_stderr"]) == (0.5, 0.01)
    assert "gsm8k/exact_match_flexible-extract" in found


def test_the_form_of_older_files() -> None:
    old = {"results": {"harness|drop|0": {"em": 0.07, "em_stderr": 0.002}}, "versions": {}}
    found = assessed(old)["harness|drop|0"]
    assert found.metrics == {"harness_drop_0/em": 0.07, "harness_drop_0/em_stderr": 0.002}
    assert (found.recorded, found.dataset) == (0, "harness|drop|0")


def test_a_number_that_is_none_stays_one() -> None:
    found = assessed({"results": {"a": {"acc,none": math.nan}}})
    assert math.isnan(found["a"].metrics["a/acc"])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not a result file"),
        (b"[]", "not a result file"),
        (b'{"results": []}', "not a result file"),
        (b'{"results": {"a": 1}}', "not a result file"),
        (b"\xff\xfe", "not a result file"),
        (b'{"results": {"a": {"alias": "a", "acc_stderr,none": "N/A"}}}', "no metrics"),
        (b'{"results": {"a b": {"x": 1}, "a?b": {"x": 1}, "a*b": {"x": 1}}}', "two metrics"),
    ],
)
def test_what_is_no_result_file_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(raw, {})


@pytest.mark.parametrize(
    ("renamed", "said"),
    [
        ({"mmlu/accuracy": "x"}, "no metric 'mmlu/accuracy'; it has gsm8k/"),
        ({"mmlu/acc": "a,b"}, "cannot be a metric"),
        ({"mmlu/acc": "gsm8k/exact_match_strict-match"}, "two metrics would be called"),
    ],
)
def test_a_name_map_that_fits_nothing_is_refused(renamed: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        assessed(**renamed)
