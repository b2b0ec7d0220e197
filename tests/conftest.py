"""What tests in several places share."""

from collections.abc import Iterator

import pytest

from support.mlflow_server import mlflow_server


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests from signing what the tests commit."""
    monkeypatch.setenv("SLUICE_GIT_SIGNING", "off")
    monkeypatch.delenv("SLUICE_GIT_SIGNING_PASSPHRASE", raising=False)


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a real registry server; tests share it, so each uses its own names."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url
