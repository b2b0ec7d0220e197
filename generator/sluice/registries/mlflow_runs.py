"""What the runs and the logged model of a version have measured, point by point."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sluice.registries.mlflow_errors import NonsenseError, is_forbidden, is_missing
from sluice.registries.mlflow_sources import fetch_or_none

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import InputTag, LoggedModel, Metric, Run


@dataclass(frozen=True, slots=True)
class Point:
    key: str
    value: float
    step: int
    recorded: int
    run_id: str
    dataset: str = ""


def choose_latest(points: Iterable[Point]) -> Iterable[Point]:
    best: dict[str, Point] = {}
    for point in sorted(points, key=lambda p: (p.step, p.recorded, p.value)):
        best[point.key] = point
    return best.values()


def read_model_points(logged: "LoggedModel | None") -> list[Point]:
    if logged is None:
        return []
    return [read_point(metric, metric.run_id or "") for metric in logged.metrics or []]


def read_points(runs: Iterable["Run"]) -> list[Point]:
    """Read the runs in the order in which they are named: of two at one time the later counts."""
    points: list[Point] = []
    for run in runs:
        points += read_run_points(run)
    return points


def read_run_points(run: "Run | None") -> list[Point]:
    if run is None:
        return []
    # The client's own dictionary of metrics drops their times.
    points = [read_point(metric, run.info.run_id) for metric in run.data.to_proto().metrics]
    return [replace(point, dataset=_find_dataset(run)) for point in points]


def read_point(metric: "Metric", run_id: str) -> Point:
    return Point(
        key=metric.key,
        value=float(metric.value),
        step=metric.step or 0,
        recorded=metric.timestamp,
        run_id=run_id,
        dataset=_name_dataset(metric.dataset_name, metric.dataset_digest),
    )


def _find_dataset(run: "Run") -> str:
    """Return the dataset that the run measured on, if there is only one that it can be."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    # What it was trained on is no data that it was measured on.
    datasets = {
        _name_dataset(i.dataset.name, i.dataset.digest) for i in inputs if not _is_training(i.tags)
    }
    if len(datasets) != 1:
        return ""
    return datasets.pop()


def _is_training(tags: Iterable["InputTag"]) -> bool:
    return any(tag.key == "mlflow.data.context" and "train" in tag.value.lower() for tag in tags)


def _name_dataset(name: str | None, digest: str | None) -> str:
    return "@".join(filter(None, (name, digest)))


class Runs:
    """The runs behind one version, each fetched once; None for one that does not exist."""

    def __init__(self, client: "MlflowClient") -> None:
        self._client = client
        self._runs: dict[str, Run | None] = {}
        self._experiments: dict[str, str] = {}
        self.forbidden: set[str] = set()

    def get(self, run_id: str) -> "Run | None":
        if run_id not in self._runs:
            self._runs[run_id] = self._fetch(run_id)
        return self._runs[run_id]

    def _fetch(self, run_id: str) -> "Run | None":
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        try:
            run = fetch_or_none(self._client.get_run, run_id)
        except MlflowException as error:
            if not is_forbidden(error):
                raise
            self.forbidden.add(run_id)
            return None
        if run is not None and run.info.run_id != run_id:
            raise NonsenseError(f"the run {run_id}")
        return run

    def explain_absence(self, run_id: str) -> str:
        """Return why there is no such run for us."""
        if run_id in self.forbidden:
            return f"the run {run_id} cannot be read: the account lacks READ on its experiment"
        return f"the run {run_id} does not exist"

    def name_experiment(self, number: str) -> str:
        """Return the name of an experiment; nothing where it cannot be read."""
        if number and number not in self._experiments:
            self._experiments[number] = self._fetch_experiment_name(number)
        return self._experiments.get(number, "")

    def _fetch_experiment_name(self, number: str) -> str:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow: only when used

        try:
            experiment = self._client.get_experiment(number)
        except MlflowException as error:
            if is_missing(error) or is_forbidden(error):
                return ""
            raise
        if experiment.experiment_id != number:
            return ""
        return str(experiment.name)

    def read_history(self, point: Point) -> list[Point]:
        """Read every point of this metric in the run."""
        metrics = self._client.get_metric_history(point.run_id, point.key)
        return [read_point(metric, point.run_id) for metric in metrics]
