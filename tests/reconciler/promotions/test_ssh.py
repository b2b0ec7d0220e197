"""The loop over SSH, with a real server on loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.forge_fake import TOKEN
from support.git_fixtures import assert_sound
from support.loop import BRANCH, KEY
from support.remote_loop import RemoteLoop, remote_loop
from support.ssh_server import PROGRAM, SshServer, ssh_server

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(PROGRAM is None, reason="no sshd: apt-get install openssh-server"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path) as server:
        yield server


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path / "loop", "forgejo") as loop:
        loop.register(1)
        loop.register(2)
        yield loop


def _once(loop: RemoteLoop, server: SshServer, **changed: str) -> subprocess.CompletedProcess[str]:
    where = ["--repository", server.url(loop.bare), "--registry"]
    registry = f"file:{loop.folder / 'registry.json'}"
    forge = ["--forge", f"forgejo:team/models@{loop.fake.place}"]
    state = ["--state", str(loop.folder / "ssh")]
    return subprocess.run(
        [sys.executable, "-m", "sluice", "reconcile", "--once", *where, registry, *forge, *state],
        env={
            **os.environ,
            "HOME": str(server.home),
            "SLUICE_GIT_SSH_KEY": str(server.key),
            "SLUICE_FORGE_TOKEN": TOKEN,
            **changed,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_fetches_and_pushes_over_ssh(loop: RemoteLoop, server: SshServer) -> None:
    done = _once(loop, server)
    assert f"{KEY}: proposed version 2 (#1)" in done.stdout, done.stderr
    assert BRANCH in loop.refs()
    assert f"{KEY}: unchanged version 2 (#1)" in _once(loop, server).stdout
    assert_sound(loop.bare)


def test_a_wrong_key_and_an_unknown_host_are_one_line(loop: RemoteLoop, server: SshServer) -> None:
    refused = _once(loop, server, SLUICE_GIT_SSH_KEY=str(server.key.with_name("host")))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "refused the credentials" in refused.stderr
    unknown = _once(loop, server, HOME=str(loop.folder))
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "known_hosts" in unknown.stderr
