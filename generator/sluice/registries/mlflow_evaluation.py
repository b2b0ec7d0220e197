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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.registries.mlflow_errors import (
    NonsenseError,
    is_forbidden,
    is_missing,
    is_unsupported,
)
from sluice.registries.mlflow_lineage import folder_of, lineage

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import InputTag, LoggedModel, Metric, Run

_Thing = TypeVar("_Thing")
_What = TypeVarTuple("_What")

_LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})(?:/.*)?", re.DOTALL)
_COPIED = re.compile(r"models:/(?P<name>[^/]+)/(?P<version>\d+)")
_MOST_COPIES = 5
RUNS_TAG = "sluice.evaluation-runs"
"""Tag of a version: the ids of runs that evaluated it, with spaces or commas between them."""
SCORERS_TAG = "mlflow.genaiEvaluate.scorersDigest"
EVALUATOR_TAG = "evaluated-by"
"""Tag of a run: who or what evaluated, for gates that ask for it."""
_USER_TAG = "mlflow.user"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _Point:
    key: str
    value: float
    step: int
    recorded: int
    run_id: str
    dataset: str = ""


class _Runs:
    """The runs behind one version, each fetched once; None for one that does not exist."""

    def __init__(self, client: "MlflowClient") -> None:
        self._client = client
        self._known: dict[str, Run | None] = {}
        self._experiments: dict[str, str] = {}
        self.forbidden: set[str] = set()

    def get(self, run_id: str) -> "Run | None":
        if run_id not in self._known:
            self._known[run_id] = self._fetched(run_id)
        return self._known[run_id]

    def _fetched(self, run_id: str) -> "Run | None":
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        try:
            run = _found(self._client.get_run, run_id)
        except MlflowException as error:
            if not is_forbidden(error):
                raise
            self.forbidden.add(run_id)
            return None
        if run is not None and run.info.run_id != run_id:
            raise NonsenseError(f"the run {run_id}")
        return run

    def absence(self, run_id: str) -> str:
        """Why there is no such run for us."""
        if run_id in self.forbidden:
            return f"the run {run_id} cannot be read: the account lacks READ on its experiment"
        return f"the run {run_id} does not exist"

    def experiment(self, number: str) -> str:
        """The name of an experiment; nothing where it cannot be read."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        if number and number not in self._experiments:
            try:
                found = self._client.get_experiment(number)
                self._experiments[number] = found.name if found.experiment_id == number else ""
            except MlflowException as error:
                if not (is_missing(error) or is_forbidden(error)):
                    raise
                self._experiments[number] = ""
        return self._experiments.get(number, "")

    def history(self, point: _Point) -> list[_Point]:
        """Every point of this metric in the run."""
        metrics = self._client.get_metric_history(point.run_id, point.key)
        return [_point(metric, point.run_id) for metric in metrics]


def evaluate(client: "MlflowClient", version: ModelVersion) -> Evaluation:
    """Return the latest point of each metric, with a doubt where there is reason for one.

    Latest is MLflow's own order: the highest step, then the latest time.
    """
    runs = _Runs(client)
    own = runs.get(version.run_id) if version.run_id else None
    logged, hops, gap = _logged_model(client, version.source)
    is_borrowed = bool(own and logged and _made_others(own, logged))
    doubt = f"the run {version.run_id} is about another model" if is_borrowed else ""
    points = {point.key: _Judged(point, doubt) for point in _points_of_run(own)}
    later, gaps = _later_runs(version, runs)
    strangers = {run.info.run_id for run in later if _is_about_others(run, logged)}
    for point in sorted(_points_of_runs(later), key=lambda point: (point.step, point.recorded)):
        doubt = (
            f"the run {point.run_id} measured another model" if point.run_id in strangers else ""
        )
        points[point.key] = _Judged(point, doubt)
    for point in _latest(_points_of_model(logged)):
        points[point.key] = _compared(point, runs, str(logged and logged.model_id))
    if version.run_id and own is None:
        gaps = (runs.absence(version.run_id), *gaps)
    folder = folder_of(client, version, logged, hops)
    return Evaluation(
        measurements={key: _measurement(points[key], runs) for key in sorted(points)},
        parameters=dict(own.data.params) if own else {},
        lineage=lineage(version, own, logged, hops, folder),
        gaps=(*gaps, *([gap] if gap else [])),
        contents=folder.contents(),
    )


def logged_model(client: "MlflowClient", source: str) -> str | None:
    """The id of the logged model that a version's source leads to."""
    found = _logged_model(client, source)[0]
    return str(found.model_id) if found else None


def _later_runs(version: ModelVersion, runs: _Runs) -> tuple[list["Run"], tuple[str, ...]]:
    """The runs that the version's tag names, and what is wrong with those that are not there."""
    names = [name for name in re.split(r"[\s,]+", version.tags.get(RUNS_TAG, "")) if name]
    known = {name: runs.get(name) if _RUN_ID.fullmatch(name) else None for name in names}
    found = [run for run in known.values() if run is not None]
    return found, tuple(runs.absence(name) for name, run in known.items() if run is None)


@dataclass(frozen=True, slots=True)
class _Judged:
    point: _Point
    doubt: str = ""


def _measurement(judged: _Judged, runs: _Runs) -> Measurement:
    point = judged.point
    return Measurement(
        value=point.value,
        run_id=point.run_id,
        recorded=point.recorded,
        dataset=point.dataset,
        doubt=_doubt_about_run(point.run_id, runs) or judged.doubt or _doubt_about_value(point),
        **_writer(runs.get(point.run_id) if point.run_id else None, runs),
    )


def _writer(run: "Run | None", runs: _Runs) -> dict[str, str]:
    """Who wrote a number, and what judged the answers: what the run says of itself."""
    if run is None:
        return {}
    tags = run.data.tags
    return {
        "scorers": str(tags.get(SCORERS_TAG, "")),
        "user": str(tags.get(_USER_TAG, "") or run.info.user_id or ""),
        "experiment": runs.experiment(run.info.experiment_id),
        "experiment_id": str(run.info.experiment_id or ""),
        "evaluator": str(tags.get(EVALUATOR_TAG, "")),
    }


def _doubt_about_run(run_id: str, runs: _Runs) -> str:
    run = runs.get(run_id) if run_id else None
    if run is None:
        return runs.absence(run_id) if run_id else "no run is recorded with it"
    if run.info.lifecycle_stage != "active":
        return f"the run {run_id} is deleted"
    if run.info.status != "FINISHED":
        return f"the run {run_id} is {run.info.status}, not FINISHED"
    return ""


def _doubt_about_value(point: _Point) -> str:
    # The server stores an infinite value as the largest finite one.
    if abs(point.value) >= sys.float_info.max:
        return "the value is infinite"
    return ""


def _compared(point: _Point, runs: _Runs, model_id: str) -> _Judged:
    """Compare a logged model's point with the run that recorded it."""
    run = runs.get(point.run_id) if point.run_id else None
    if run is None:
        return _Judged(point)
    if any(p.key == point.key and p.value == point.value for p in _points_of_run(run)):
        return _Judged(point)
    same_step = [p for p in runs.history(point) if p.step == point.step]
    same_time = [p.value for p in same_step if p.recorded == point.recorded]
    if point.value == 0 and any(map(math.isnan, same_time)):
        return _Judged(replace(point, value=math.nan))
    if point.value not in same_time:
        return _Judged(point, f"the run {point.run_id} holds {_words(same_time)}")
    later = [p.value for p in same_step if p.recorded > point.recorded]
    # A run that measures several models holds all their values under one key.
    if later and not _other_models(run, model_id):
        return _Judged(point, f"the run {point.run_id} was changed to {_words(later)} later")
    return _Judged(point)


def _words(values: Iterable[float]) -> str:
    return " and ".join(f"{value:g}" for value in values) or "no such value"


def _other_models(run: "Run", model_id: str) -> bool:
    inputs = run.inputs.model_inputs if run.inputs else []
    outputs = run.outputs.model_outputs if run.outputs else []
    return any(getattr(model, "model_id", model_id) != model_id for model in (*inputs, *outputs))


def _is_about_others(run: "Run", logged: "LoggedModel | None") -> bool:
    """Whether a run that the version names says that it measured other models."""
    inputs = run.inputs.model_inputs if run.inputs else []
    measured = {getattr(model, "model_id", "") for model in inputs} - {""}
    return bool(measured) and (logged is None or logged.model_id not in measured)


def _made_others(run: "Run", logged: "LoggedModel") -> bool:
    """Whether a run that a version gives as its own says that it made or measured others only."""
    inputs = run.inputs.model_inputs if run.inputs else []
    outputs = run.outputs.model_outputs if run.outputs else []
    models = {getattr(model, "model_id", "") for model in (*inputs, *outputs)} - {""}
    return bool(models) and logged.model_id not in models


def _latest(points: Iterable[_Point]) -> Iterable[_Point]:
    best: dict[str, _Point] = {}
    for point in sorted(points, key=lambda p: (p.step, p.recorded, p.value)):
        best[point.key] = point
    return best.values()


def _points_of_model(logged: "LoggedModel | None") -> list[_Point]:
    metrics = logged.metrics or [] if logged else []
    return [_point(metric, metric.run_id or "") for metric in metrics]


def _points_of_runs(runs: Iterable["Run"]) -> list[_Point]:
    """In the order in which the runs are named: of two at one time the later named one counts."""
    return [point for run in runs for point in _points_of_run(run)]


def _points_of_run(run: "Run | None") -> list[_Point]:
    if run is None:
        return []
    # The client's own dictionary of metrics drops their times.
    points = [_point(metric, run.info.run_id) for metric in run.data.to_proto().metrics]
    return [replace(point, dataset=_dataset_of_run(run)) for point in points]


def _point(metric: "Metric", run_id: str) -> _Point:
    return _Point(
        key=metric.key,
        value=float(metric.value),
        step=metric.step or 0,
        recorded=metric.timestamp,
        run_id=run_id,
        dataset=_dataset(metric.dataset_name, metric.dataset_digest),
    )


def _dataset_of_run(run: "Run") -> str:
    """Return the dataset that the run measured on, if there is only one that it can be."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    found = {_dataset(i.dataset.name, i.dataset.digest) for i in inputs if not _is_training(i.tags)}
    return found.pop() if len(found) == 1 else ""


def _is_training(tags: Iterable["InputTag"]) -> bool:
    return any(tag.key == "mlflow.data.context" and "train" in tag.value.lower() for tag in tags)


def _dataset(name: str | None, digest: str | None) -> str:
    return "@".join(filter(None, (name, digest)))


def _logged_model(
    client: "MlflowClient", source: str
) -> tuple["LoggedModel | None", tuple[str, ...], str]:
    """The logged model that a source leads to, the sources on the way, and what went wrong."""
    hops: list[str] = []
    for _ in range(_MOST_COPIES):
        if found := _LOGGED.fullmatch(source):
            logged = _found(client.get_logged_model, found[1], even_if_unsupported=True)
            if logged is not None and logged.model_id != found[1]:
                raise NonsenseError(f"the logged model {found[1]}")
            gap = "" if logged else f"the logged model {found[1]} is not there or cannot be read"
            return logged, tuple(hops), gap
        if not (copied := _COPIED.fullmatch(source)):
            return None, tuple(hops), ""
        original = _found(client.get_model_version, copied["name"], copied["version"])
        if original is not None and original.name != copied["name"]:
            raise NonsenseError(f"version {copied['version']} of {copied['name']!r}")
        source = (original and original.source) or ""
        if not source:
            name = f"{copied['name']} {copied['version']}"
            return None, tuple(hops), f"it is a copy of {name}, which is gone"
        if source in hops:
            return None, tuple(hops), "it is a copy of itself"
        hops.append(source)
    return None, tuple(hops), "it is a copy of a copy, again and again"


def _found(
    get: Callable[[*_What], _Thing], *what: *_What, even_if_unsupported: bool = False
) -> _Thing | None:
    """Call `get`; None when the server has no such thing, or perhaps no such kind of thing."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

    try:
        return get(*what)
    except MlflowException as error:
        refused = even_if_unsupported and (is_unsupported(error) or is_forbidden(error))
        if is_missing(error) or refused:
            return None
        raise
