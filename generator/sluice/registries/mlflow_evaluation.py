"""Which of the numbers that MLflow holds count for a model version, and which are doubtful.

A metric can stand on the version's logged model (every point of every run that measured it, with
its dataset) and on a run (the latest point, no dataset). The logged model wins, since evaluations
made later are only there, but it stores NaN as 0.0, so that its run is always asked too. A version
without a logged model names later evaluation runs in its tag `sluice.evaluation-runs`: a tag of the
version, since who may write it may also promote the version.
"""

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.registries.mlflow_lineage import collect_lineage, find_folder
from sluice.registries.mlflow_runs import (
    Point,
    Runs,
    choose_latest,
    read_model_points,
    read_points,
    read_run_points,
)
from sluice.registries.mlflow_sources import follow_source

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

RUNS_TAG = "sluice.evaluation-runs"
"""Tag of a version: the ids of runs that evaluated it, with spaces or commas between them."""
SCORERS_TAG = "mlflow.genaiEvaluate.scorersDigest"
EVALUATOR_TAG = "evaluated-by"
"""Tag of a run: who or what evaluated, for gates that ask for it."""
_USER_TAG = "mlflow.user"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def evaluate(client: "MlflowClient", version: ModelVersion) -> Evaluation:
    """Return the latest point of each metric, with a doubt where there is reason for one.

    Latest is MLflow's own order: the highest step, then the latest time.
    """
    runs = Runs(client)
    run = runs.get(version.run_id) if version.run_id else None
    logged, hops, gap = follow_source(client, version.source)
    later, gaps = _fetch_later_runs(version, runs)
    if version.run_id and run is None:
        gaps = (runs.explain_absence(version.run_id), *gaps)
    if gap:
        gaps = (*gaps, gap)

    # Each source of numbers replaces what the one before it says of the same metric.
    points = _judge_run(run, logged)
    points |= _judge_later_runs(later, logged)
    for point in choose_latest(read_model_points(logged)):
        model_id = str(logged and logged.model_id)
        points[point.key] = _compare(point, runs, model_id)

    folder = find_folder(client, version, logged, hops)
    return Evaluation(
        measurements={key: _make_measurement(points[key], runs) for key in sorted(points)},
        parameters=dict(run.data.params) if run else {},
        lineage=collect_lineage(version, run, logged, hops, folder),
        gaps=gaps,
        contents=folder.read_contents(),
    )


def _judge_run(run: "Run | None", logged: "LoggedModel | None") -> "dict[str, _Judged]":
    """Judge the points of the run that a version gives as its own."""
    doubt = ""
    if run and logged and _is_run_of_others(run, logged):
        doubt = f"the run {run.info.run_id} is about another model"
    return {point.key: _Judged(point, doubt) for point in read_run_points(run)}


def _judge_later_runs(later: "list[Run]", logged: "LoggedModel | None") -> "dict[str, _Judged]":
    """Judge the latest points of the runs that evaluated a version after it was made."""
    strangers = {run.info.run_id for run in later if _is_about_others(run, logged)}
    points = {}
    for point in sorted(read_points(later), key=lambda point: (point.step, point.recorded)):
        doubt = ""
        if point.run_id in strangers:
            doubt = f"the run {point.run_id} measured another model"
        points[point.key] = _Judged(point, doubt)
    return points


def _fetch_later_runs(version: ModelVersion, runs: Runs) -> tuple[list["Run"], tuple[str, ...]]:
    """Return the runs that the version's tag names, and why others are not there."""
    present: dict[str, Run] = {}
    gaps: dict[str, str] = {}
    for name in re.split(r"[\s,]+", version.tags.get(RUNS_TAG, "")):
        if not name:
            continue
        run = runs.get(name) if _RUN_ID.fullmatch(name) else None
        if run is None:
            gaps[name] = runs.explain_absence(name)
        else:
            present[name] = run
    return list(present.values()), tuple(gaps.values())


@dataclass(frozen=True, slots=True)
class _Judged:
    point: Point
    doubt: str = ""


def _make_measurement(judged: _Judged, runs: Runs) -> Measurement:
    point = judged.point
    doubt = _doubt_run(point.run_id, runs) or judged.doubt or _doubt_value(point)
    run = runs.get(point.run_id) if point.run_id else None
    return Measurement(
        value=point.value,
        run_id=point.run_id,
        recorded=point.recorded,
        dataset=point.dataset,
        doubt=doubt,
        **_describe_writer(run, runs),
    )


def _describe_writer(run: "Run | None", runs: Runs) -> dict[str, str]:
    """Return who wrote a number, and what judged the answers: what the run says of itself."""
    if run is None:
        return {}
    tags = run.data.tags
    return {
        "scorers": str(tags.get(SCORERS_TAG, "")),
        "user": str(tags.get(_USER_TAG, "") or run.info.user_id or ""),
        "experiment": runs.name_experiment(run.info.experiment_id),
        "experiment_id": str(run.info.experiment_id or ""),
        "evaluator": str(tags.get(EVALUATOR_TAG, "")),
    }


def _doubt_run(run_id: str, runs: Runs) -> str:
    if not run_id:
        return "no run is recorded with it"
    run = runs.get(run_id)
    if run is None:
        return runs.explain_absence(run_id)
    if run.info.lifecycle_stage != "active":
        return f"the run {run_id} is deleted"
    if run.info.status != "FINISHED":
        return f"the run {run_id} is {run.info.status}, not FINISHED"
    return ""


def _doubt_value(point: Point) -> str:
    # The server stores an infinite value as the largest finite one.
    if abs(point.value) >= sys.float_info.max:
        return "the value is infinite"
    return ""


def _compare(point: Point, runs: Runs, model_id: str) -> _Judged:
    """Compare a logged model's point with the run that recorded it."""
    run = runs.get(point.run_id) if point.run_id else None
    if run is None:
        return _Judged(point)
    if any(_is_same(latest, point) for latest in read_run_points(run)):
        return _Judged(point)
    same_step = [other for other in runs.read_history(point) if other.step == point.step]
    same_time = [other.value for other in same_step if other.recorded == point.recorded]
    later = [other.value for other in same_step if other.recorded > point.recorded]
    # A logged model stores NaN as 0.0.
    if point.value == 0 and any(map(math.isnan, same_time)):
        return _Judged(replace(point, value=math.nan))
    if point.value not in same_time:
        return _Judged(point, f"the run {point.run_id} holds {_join_values(same_time)}")
    # A run that measures several models holds all their values under one key.
    if later and not _has_other_models(run, model_id):
        return _Judged(point, f"the run {point.run_id} was changed to {_join_values(later)} later")
    return _Judged(point)


def _is_same(left: Point, right: Point) -> bool:
    return left.key == right.key and left.value == right.value


def _join_values(values: Iterable[float]) -> str:
    return " and ".join(f"{value:g}" for value in values) or "no such value"


def _list_measured(run: "Run") -> list[str]:
    """List the ids of the logged models that a run says it measured."""
    inputs = run.inputs.model_inputs if run.inputs else []
    ids = [getattr(model, "model_id", "") for model in inputs]
    return [model_id for model_id in ids if model_id]


def _list_made(run: "Run") -> list[str]:
    """List the ids of the logged models that a run says it made."""
    outputs = run.outputs.model_outputs if run.outputs else []
    ids = [getattr(model, "model_id", "") for model in outputs]
    return [model_id for model_id in ids if model_id]


def _has_other_models(run: "Run", model_id: str) -> bool:
    return any(other != model_id for other in (*_list_measured(run), *_list_made(run)))


def _is_about_others(run: "Run", logged: "LoggedModel | None") -> bool:
    """Whether a run that the version names says that it measured other models."""
    measured = _list_measured(run)
    return bool(measured) and (logged is None or logged.model_id not in measured)


def _is_run_of_others(run: "Run", logged: "LoggedModel") -> bool:
    """Whether a run that a version gives as its own says that it made or measured others only."""
    models = [*_list_measured(run), *_list_made(run)]
    return bool(models) and logged.model_id not in models
