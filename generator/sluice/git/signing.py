"""Signatures of commits, made by the programs that hold the keys.

SLUICE_GIT_SIGNING is `gpg:KEY`, `ssh:FILE` or `off`; without it Git's own configuration decides:
commit.gpgSign, gpg.format, user.signingKey and the programs. SLUICE_GIT_SIGNING_PASSPHRASE unlocks
a key that no agent holds.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pygit2

from sluice.core.finding import UsageError
from sluice.core.model import Signature
from sluice.git.repository import Repository

_SETTING = "SLUICE_GIT_SIGNING"
_PASSPHRASE = "SLUICE_GIT_SIGNING_PASSPHRASE"  # noqa: S105  # the name of a variable
# A person may be asked for a passphrase, or to touch a key.
_SECONDS = 60.0
_FORMATS: Mapping[str, "Format"] = {"openpgp": "gpg", "ssh": "ssh"}
_PROGRAMS: Mapping["Format", str] = {"gpg": "gpg", "ssh": "ssh-keygen"}
_ASKPASS = f"#!/bin/sh\nprintf '%s\\n' \"${_PASSPHRASE}\"\n"
_NOISE = re.compile(
    r"(gpg: )?(warning|note)\b|\[GNUPG:\]|@+$|signing file|write signature", re.IGNORECASE
)
_REMEDIES = (
    (r"no secret key", "import it with gpg --import, or name another key"),
    (r"unusable", "it has expired, is revoked, or is not for signing"),
    (r"passphrase", f"{_PASSPHRASE} must be its passphrase, or an agent must hold it"),
    (
        r"inappropriate ioctl|pinentry|cancelled|seconds",
        f"it wants a passphrase: set {_PASSPHRASE}, or unlock it in the agent",
    ),
    (r"too open", "only its owner may read the file: chmod 600"),
    (r"no private key found", "an agent must hold the private half"),
    (r"no such file|invalid format|libcrypto", "name the file of a private key"),
)

Format = Literal["gpg", "ssh"]


class SigningError(UsageError):
    """No commit is signed, and so none is made, until somebody mends the key or the settings."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and the program that signs with it."""

    form: Format
    key: str
    program: str
    passphrase: str = ""

    def __str__(self) -> str:
        return f"{self.form}:{self.key}"


def find_signer(
    repo: Repository, committer: Signature, environ: Mapping[str, str] = os.environ
) -> Signer | None:
    """Find who signs the commits of a repository; None when they are not signed.

    Args:
        repo: the repository.
        committer: for whom to sign, where no key is named.
        environ: where SLUICE_GIT_SIGNING may be.

    Raises:
        SigningError: when it is asked for and cannot be.
    """
    passphrase = environ.get(_PASSPHRASE, "")
    setting = environ.get(_SETTING, "").strip()
    if not setting:
        return _read_configured(repo, committer, passphrase)
    if setting == "off":
        return None
    form, _, key = setting.partition(":")
    if form == "gpg" and key:
        return Signer("gpg", key, _PROGRAMS["gpg"], passphrase)
    if form == "ssh" and key:
        return Signer("ssh", key, _PROGRAMS["ssh"], passphrase)
    raise SigningError(f"{_SETTING} must be gpg:KEY, ssh:FILE or off")


def _read_configured(repo: Repository, committer: Signature, passphrase: str) -> Signer | None:
    """Read from Git's configuration how Git itself would sign."""
    config = repo.config
    try:
        if "commit.gpgsign" not in config or not config.get_bool("commit.gpgsign"):
            return None
    except (pygit2.GitError, ValueError) as error:
        raise SigningError(f"commit.gpgSign of Git's configuration: {error}") from error
    named = _read_value(repo, "gpg.format") or "openpgp"
    form = _FORMATS.get(named.lower())
    if form is None:
        raise SigningError(f"gpg.format is {named}: commits can be signed by openpgp or ssh")
    key = _read_value(repo, "user.signingkey")
    if not key and form == "ssh":
        raise SigningError(f"commits are to be signed with ssh: set user.signingKey or {_SETTING}")
    program = _read_value(repo, f"gpg.{named.lower()}.program")
    if form == "gpg":
        program = program or _read_value(repo, "gpg.program")
    program = str(Path(program or _PROGRAMS[form]).expanduser())
    return Signer(form, key or f"{committer.name} <{committer.email}>", program, passphrase)


def _read_value(repo: Repository, key: str) -> str:
    if key not in repo.config:
        return ""
    return repo.config[key] or ""


def sign(signer: Signer, payload: bytes) -> str:
    """Return the armoured signature of a commit's content.

    Raises:
        SigningError: in one line, without the passphrase.
    """
    if signer.form == "gpg":
        return _sign_by_gpg(signer, payload)
    return _sign_by_ssh(signer, payload)


def _sign_by_gpg(signer: Signer, payload: bytes) -> str:
    command = [signer.program, "--batch", "--status-fd=2"]
    handles: tuple[int, ...] = ()
    if signer.passphrase:
        reader = _open_secret(signer.passphrase)
        handles = (reader,)
        command += ["--pinentry-mode=loopback", f"--passphrase-fd={reader}"]
    command += ["--detach-sign", "--armor", f"--local-user={signer.key}"]
    try:
        process = _run(signer, command, payload, fds=handles)
    finally:
        for handle in handles:
            os.close(handle)
    text = process.stdout.decode(errors="replace")
    # A program may end well and have signed nothing; this line says that it has.
    if "[GNUPG:] SIG_CREATED " not in process.stderr.decode(errors="replace"):
        raise _describe_problem(signer, "no signature came")
    return text


def _open_secret(secret: str) -> int:
    """Open a pipe to read a secret from once, which no list of processes shows."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(secret.encode()[:4096] + b"\n")
    return reader


def _sign_by_ssh(signer: Signer, payload: bytes) -> str:
    with TemporaryDirectory(prefix="sluice-") as name:
        folder = Path(name)
        content = folder / "commit"
        content.write_bytes(payload)
        environ = {}
        if signer.passphrase:
            ask = folder / "ask"
            ask.write_text(_ASKPASS, encoding="utf-8")
            ask.chmod(0o700)
            environ = {
                "SSH_ASKPASS": str(ask),
                "SSH_ASKPASS_REQUIRE": "force",
                _PASSPHRASE: signer.passphrase,
            }
        key = _find_key_file(signer.key, folder)
        command = [signer.program, "-Y", "sign", "-n", "git", "-f", key, str(content)]
        _run(signer, command, None, environ)
        signature = folder / "commit.sig"
        if not signature.is_file():
            raise _describe_problem(signer, "no signature came")
        return signature.read_text(encoding="ascii")


def _find_key_file(key: str, folder: Path) -> str:
    """Find the file of a key; one given in full is public, and the agent has the other half."""
    literal = key.removeprefix("key::")
    if literal != key or key.startswith("ssh-"):
        public = folder / "key.pub"
        public.write_text(f"{literal}\n", encoding="utf-8")
        return str(public)
    return str(Path(key).expanduser())


def _run(
    signer: Signer,
    command: list[str],
    payload: bytes | None,
    more: Mapping[str, str] | None = None,
    fds: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; without a payload it may ask at the terminal."""
    environ = {**os.environ, "LC_ALL": "C", **(more or {})}
    try:
        process = subprocess.run(  # noqa: S603  # the program that the user configured
            command,
            input=payload,
            env=environ,
            pass_fds=fds,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise _describe_problem(
            signer, f"there is no program {signer.program}: install it"
        ) from None
    except OSError as error:
        raise _describe_problem(signer, f"{signer.program}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise _describe_problem(signer, f"no signature within {_SECONDS:.0f} seconds") from None
    if process.returncode:
        raise _describe_problem(signer, _find_reason(process.stderr.decode(errors="replace")))
    return process


def _find_reason(output: str) -> str:
    """Find the line of a program's complaint that says most: its last, but for noise."""
    lines = [line.strip() for line in output.splitlines()]
    complaints = [line for line in lines if line and not _NOISE.match(line)]
    for line in complaints:
        if re.search(r"too open|incorrect passphrase|invalid format|libcrypto", line):
            return line
    if not complaints:
        return "it gives no reason"
    return complaints[-1]


def _describe_problem(signer: Signer, reason: str) -> SigningError:
    if signer.passphrase:
        reason = reason.replace(signer.passphrase, "***")
    quote = reason[:200]
    message = f"commits cannot be signed with {signer}: {quote}"
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, quote, re.IGNORECASE):
            return SigningError(f"{message}; {remedy}")
    return SigningError(message)
