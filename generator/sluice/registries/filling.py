"""Put versions and evaluations into a registry, as a training pipeline would; for the demo."""

import os
import warnings
from collections.abc import Mapping


class Filler:
    """Writes to the MLflow server at an address; the reconciler itself only reads."""

    def __init__(self, url: str) -> None:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient  # noqa: PLC0415  # slow: only when used

        self._client = MlflowClient(tracking_uri=url, registry_uri=url)

    def register(
        self, name: str, source: str, metrics: Mapping[str, float], parameters: Mapping[str, str]
    ) -> str:
        """Create the next version with a finished run of its own; return its number.

        Args:
            name: of the model.
            source: where its files are.
            metrics: of its run.
            parameters: of its run.
        """
        client = self._client
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        run_id = client.create_run("0").info.run_id
        for key, value in parameters.items():
            client.log_param(run_id, key, value)
        for key, measured in metrics.items():
            client.log_metric(run_id, key, measured)
        client.set_terminated(run_id, "FINISHED")
        return str(client.create_model_version(name, source, run_id).version)

    def promote(self, name: str, version: str, stage: str) -> None:
        """Move a version to a stage, and what was there to the archive."""
        with warnings.catch_warnings():
            # Stages are deprecated in the client and used by many; the demo shows them on purpose.
            warnings.simplefilter("ignore", FutureWarning)
            self._client.transition_model_version_stage(
                name, version, stage, archive_existing_versions=True
            )
