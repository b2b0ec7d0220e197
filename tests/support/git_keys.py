"""Keys that sign commits, made for one test, and what Git itself thinks of the signatures."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sluice import git
from support.git_fixtures import CLEAN

ADDRESS = "bot@example.com"
PASSPHRASE = "canary-passphrase"  # noqa: S105  # of a test


@dataclass(frozen=True)
class Keys:
    """What Sluice is told, and what Git needs to verify."""

    setting: str
    environ: dict[str, str]
    config: tuple[str, ...] = field(default=())

    def verifies(self, repo: git.Repository, commit: str) -> bool:
        """Whether `git verify-commit` accepts a commit."""
        command = ["git", "-C", str(repo.path), *self.config, "verify-commit", commit]
        environ = os.environ | CLEAN | self.environ
        return not subprocess.run(command, env=environ, capture_output=True, check=False).returncode


@contextmanager
def gpg_keys(passphrase: str = "") -> Iterator[Keys]:
    """A keyring with one key, in a folder whose path is short enough for the agent's socket."""
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as home:  # as said
        environ = {"GNUPGHOME": home}
        # Nothing is remembered: another test has no passphrase, or a wrong one.
        forgetful = "default-cache-ttl 0\nmax-cache-ttl 0\ns2k-count 65536\n"
        (Path(home) / "gpg-agent.conf").write_text(forgetful)
        told = ["--batch", "--quiet", "--pinentry-mode=loopback", f"--passphrase={passphrase}"]
        made = ["--quick-gen-key", f"Bot <{ADDRESS}>", "ed25519", "sign", "0"]
        try:
            _quietly(["gpg", *told, *made], environ)
            yield Keys(f"gpg:{ADDRESS}", environ)
        finally:
            _quietly(["gpgconf", "--kill", "gpg-agent"], environ)


def ssh_keys(folder: Path, passphrase: str = "") -> Keys:
    """A private key, and a file of who may sign with it."""
    key = folder / "signing"
    _quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)])
    allowed = folder / "allowed"
    allowed.write_text(f"{ADDRESS} {key.with_suffix('.pub').read_text()}")
    config = ("-c", f"gpg.ssh.allowedSignersFile={allowed}")
    return Keys(f"ssh:{key}", {"SSH_AUTH_SOCK": ""}, config)


@contextmanager
def ssh_agent(folder: Path, key: Path) -> Iterator[str]:
    """The socket of an agent that holds a key."""
    with tempfile.TemporaryDirectory(prefix="a", dir="/tmp") as home:  # short
        socket = f"{home}/s"
        process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            process.stdout.readline()
            _quietly(["ssh-add", "-q", str(key)], {"SSH_AUTH_SOCK": socket})
            yield socket
        finally:
            process.terminate()
            process.communicate()


def _quietly(command: list[str], environ: dict[str, str] | None = None) -> None:
    subprocess.run(command, env=os.environ | (environ or {}), capture_output=True, check=True)
