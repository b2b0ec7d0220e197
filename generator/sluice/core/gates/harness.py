"""Result files of lm-evaluation-harness: what they measured, under names that registries accept."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sluice.core.bounded import json_of
from sluice.core.finding import UsageError
from sluice.core.model import Assessment

_NO_FILTER = "none"
_ERROR = "_stderr"
_NOT_IN_A_NAME = re.compile(r"[^\w./: -]", re.ASCII)
_NAME = re.compile(r"[\w./: -]{1,250}", re.ASCII)
# Counts that stand among the metrics of a task.
_COUNTS = frozenset({"sample_len", "sample_count"})
_DATASET = ("dataset_path", "dataset_name", "dataset_kwargs", "test_split", "validation_split")
_SCORING = (
    *("output_type", "metric_list", "filter_list", "num_fewshot", "fewshot_split", "repeats"),
    *("doc_to_text", "doc_to_target", "doc_to_choice", "description", "generation_kwargs"),
)
_PROMPTING = ("system_instruction", "fewshot_as_multiturn")
_KNOWN = {"version": "versions", "shots": "n-shot"}
_DIGEST = 8
_LAST_SECOND = 253_402_300_800  # the end of the year 9999


def read(raw: bytes, renamed: Mapping[str, str]) -> list[Assessment]:
    """The tasks of a result file, each with its metrics.

    A metric is called `task/metric`, with `_filter` where it has one, and its standard error
    `task/metric_stderr`. `renamed` gives other names, by these or by the harness's own
    (`mmlu/acc,none`); a standard error follows its metric.

    Raises:
        UsageError: not such a file, nothing measured, a new name for nothing, or one name for two.
    """
    data = _parsed(raw)
    found = [_task(data, task, row, renamed) for task, row in sorted(data["results"].items())]
    tasks = [task for task in found if task.metrics]
    if not tasks:
        raise UsageError("the result file has no metrics")
    _refuse_unused(data, renamed)
    names = [name for task in tasks for name in task.metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two metrics would be called {twice[0]!r}; give one another name")
    return tasks


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        data: Any = json_of(raw)
    except ValueError:
        data = None
    rows = data.get("results") if isinstance(data, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise UsageError("not a result file of lm-evaluation-harness: it needs `results` by task")
    result: dict[str, Any] = data
    return result


def _task(
    data: Mapping[str, Any], task: str, row: Mapping[str, Any], renamed: Mapping[str, str]
) -> Assessment:
    known = _known(data, task)
    samples = _of(data, "n-samples", task)
    told = {**known, "samples": samples.get("effective"), "harness": data.get("git_hash")}
    dataset = _picked(_of(data, "configs", task), _DATASET)
    name = "/".join(str(dataset[k]) for k in _DATASET[:2] if dataset.get(k)) or task
    inner = sorted(_within(data, task, {task}))
    return Assessment(
        task=task,
        metrics={_called(task, key, renamed): value for key, value in _numbers(row)},
        recorded=_milliseconds(data.get("date")),
        dataset=name,
        digest=_digest([name, *(_questions(data, each) for each in (task, *inner))]),
        scorers=_digest([_prompting(data), *(_scoring(data, each) for each in (task, *inner))]),
        parameters={k: str(v) for k, v in told.items() if v not in (None, "")},
    )


def _within(data: Mapping[str, Any], task: str, seen: set[str]) -> set[str]:
    """All tasks that a group is made of: its own entry says nothing of what was asked."""
    listed = _entry(data, "group_subtasks", task)
    found = {str(each) for each in listed} - seen if isinstance(listed, list) else set()
    for each in sorted(found):
        found |= _within(data, each, seen | found)
    return found


def _questions(data: Mapping[str, Any], task: str) -> list[object]:
    config = _of(data, "configs", task)
    hashed, samples = _entry(data, "task_hashes", task), _of(data, "n-samples", task)
    return [task, _picked(config, _DATASET), hashed, samples]


def _scoring(data: Mapping[str, Any], task: str) -> list[object]:
    return [task, _known(data, task), _picked(_of(data, "configs", task), _SCORING)]


def _known(data: Mapping[str, Any], task: str) -> dict[str, Any]:
    return {key: _entry(data, section, task) for key, section in _KNOWN.items()}


def _prompting(data: Mapping[str, Any]) -> list[object]:
    """How all questions were put. Templates differ between models; that there was one counts."""
    return [bool(data.get("chat_template")), *(data.get(key) or "" for key in _PROMPTING)]


def _picked(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: config[key] for key in keys if key in config}


def _of(data: Mapping[str, Any], section: str, task: str) -> Mapping[str, Any]:
    found = _entry(data, section, task)
    return found if isinstance(found, dict) else {}


def _entry(data: Mapping[str, Any], section: str, task: str) -> Any:  # noqa: ANN401  # any JSON
    rows = data.get(section)
    return rows.get(task) if isinstance(rows, dict) else None


def _numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics of a task; a standard error that was not computed is a text there."""
    for key, value in row.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and key.partition(",")[0] not in _COUNTS:
            yield key, float(value)


def _called(task: str, key: str, renamed: Mapping[str, str]) -> str:
    metric, _, kind = key.partition(",")
    base = metric.removesuffix(_ERROR)
    suffix = "" if kind in ("", _NO_FILTER) else f"_{kind}"
    error = _ERROR if metric.endswith(_ERROR) else ""
    for mine, extra in ((key, ""), (f"{base},{kind}" if kind else base, error)):
        if f"{task}/{mine}" in renamed:
            return renamed[f"{task}/{mine}"] + extra
    plain = f"{task}/{base}{error}{suffix}"
    if plain in renamed:
        return renamed[plain]
    if error and f"{task}/{base}{suffix}" in renamed:
        return renamed[f"{task}/{base}{suffix}"] + error
    return _NOT_IN_A_NAME.sub("_", plain)


def _refuse_unused(data: Mapping[str, Any], renamed: Mapping[str, str]) -> None:
    for name in renamed.values():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a metric: use letters, digits and _ - . : / space"
            )
    known: set[str] = set()
    for task, row in data["results"].items():
        for key, _ in _numbers(row):
            known |= {f"{task}/{key}", _called(task, key, {})}
    unused = sorted(renamed.keys() - known)
    if unused:
        listed = ", ".join(sorted(known)[:5])
        raise UsageError(f"the file has no metric {unused[0]!r}; it has {listed} and so on")


def _milliseconds(date: object) -> int:
    if isinstance(date, int | float) and 0 < date < _LAST_SECOND:
        return int(1000 * date)
    return 0


def _digest(parts: object) -> str:
    spelled = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:_DIGEST]
