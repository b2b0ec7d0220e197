"""Write the results of an evaluation beside a model version in an MLflow server."""

import hashlib
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.core.finding import UsageError
from sluice.core.model import Assessment
from sluice.registries.mlflow import MlflowRegistry
from sluice.registries.mlflow_errors import TO_WRITE, explain_failures
from sluice.registries.mlflow_evaluation import RUNS_TAG, SCORERS_TAG
from sluice.registries.mlflow_sources import find_logged_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as Version

_MARK = "sluice.import"
_DEFAULT_EXPERIMENT = "0"


class Recorder:
    """Writes to the server at an address; needs EDIT on the model and on the experiment."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError("results are imported into an MLflow server: give its http(s) address")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._url = url.rstrip("/")
        self._client: MlflowClient = MlflowRegistry(self._url)._clients.public  # noqa: SLF001  # one way to open a client

    def record(self, name: str, version: str, assessments: Sequence[Assessment]) -> dict[str, str]:
        """Write a finished run for each task that has none yet; return task → run id.

        A run of the same content is not written twice, so that a broken import can be repeated.

        Args:
            name: of the model.
            version: its number.
            assessments: one for each task.

        Raises:
            UsageError: the server has no such version, or refuses.
        """
        with explain_failures(self._url, TO_WRITE):
            target = self._fetch_version(name, version)
            experiment = self._find_experiment(target)
            runs = {}
            for assessment in assessments:
                runs[assessment.task] = self._find_or_write(assessment, target, experiment)
            self._name_them(target, list(runs.values()))
        return runs

    def _fetch_version(self, name: str, version: str) -> "Version":
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  # slow: only when used

        from sluice.registries.mlflow_errors import is_missing  # noqa: PLC0415  # as above

        try:
            return self._client.get_model_version(name, version)
        except MlflowException as error:
            if is_missing(error):
                raise UsageError(f"the registry has no version {version} of {name!r}") from None
            raise

    def _find_experiment(self, target: "Version") -> str:
        if not target.run_id:
            return _DEFAULT_EXPERIMENT
        return str(self._client.get_run(target.run_id).info.experiment_id)

    def _find_or_write(self, assessment: Assessment, target: "Version", experiment: str) -> str:
        mark = _make_mark(assessment, target)
        runs = self._client.search_runs(
            [experiment], f"tags.`{_MARK}` = '{mark}' AND attributes.status = 'FINISHED'"
        )
        if runs:
            return str(runs[0].info.run_id)
        return self._write(assessment, target, experiment, mark)

    def _write(self, assessment: Assessment, target: "Version", experiment: str, mark: str) -> str:
        from mlflow.entities import Dataset, DatasetInput, LoggedModelInput  # noqa: PLC0415  # slow

        client, model_id = self._client, find_logged_model(self._client, target.source or "")
        tags = {
            _MARK: mark,
            SCORERS_TAG: assessment.scorers,
            "mlflow.runName": f"evaluation {assessment.task}",
        }
        run_id = str(client.create_run(experiment, tags=tags).info.run_id)
        for key, value in assessment.parameters.items():
            client.log_param(run_id, key, value)
        dataset = Dataset(assessment.dataset, assessment.digest, "external", "{}")
        models = [LoggedModelInput(model_id)] if model_id else None
        client.log_inputs(run_id, datasets=[DatasetInput(dataset)], models=models)
        when = assessment.recorded or int(1000 * time.time())
        for name, measured in assessment.metrics.items():
            client.log_metric(
                run_id,
                name,
                measured,
                timestamp=when,
                dataset_name=assessment.dataset,
                dataset_digest=assessment.digest,
                model_id=model_id,
            )
        client.set_terminated(run_id, "FINISHED")
        return run_id

    def _name_them(self, target: "Version", runs: Sequence[str]) -> None:
        """Let the version name its runs; a logged model knows them by itself."""
        if find_logged_model(self._client, target.source or ""):
            return
        before = str(target.tags.get(RUNS_TAG, "")).replace(",", " ").split()
        after = list(dict.fromkeys([*before, *runs]))
        if after != before:
            self._client.set_model_version_tag(
                target.name, target.version, RUNS_TAG, " ".join(after)
            )


def _make_mark(assessment: Assessment, target: "Version") -> str:
    """Compute what makes an import the same: its content, and the version it is about."""
    about = (target.name, target.version, target.creation_timestamp)
    content = (
        assessment.task,
        sorted(assessment.metrics.items()),
        assessment.recorded,
        assessment.digest,
        assessment.scorers,
    )
    return hashlib.sha256(repr((about, content)).encode()).hexdigest()
