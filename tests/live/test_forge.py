"""The conformance suite of forges, on a real Gitea."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from live.gitea import Gitea
from support import forge_conformance
from support.forge_harness import Harness, live

# The same tests, collected here once more: they ask for `at`, which here is a real server.
globals().update(forge_conformance.TESTS)


@pytest.fixture(scope="module")
def remote(gitea: Gitea) -> str:
    return gitea.create("playground")


@pytest.fixture
def at(
    gitea: Gitea, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    monkeypatch.setenv("SLUICE_LIVE_FORGE", gitea.address("playground"))
    monkeypatch.setenv("SLUICE_LIVE_REMOTE", remote)
    monkeypatch.setenv("SLUICE_FORGE_TOKEN", gitea.bot)
    monkeypatch.setenv("SLUICE_GIT_TOKEN", gitea.bot)
    with live(tmp_path) as harness:
        yield harness
