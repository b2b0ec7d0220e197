"""What tests in several places share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.mlflow_server import mlflow_server

# Its tests are collected by other modules, and should say as much as theirs when they fail.
pytest.register_assert_rewrite("support.forge_conformance")

# A property holds or does not: how long an example takes depends on what else the machine does.
settings.register_profile("sluice", settings(), deadline=None)
settings.load_profile("sluice")


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
