"""Remotes, read: clone, fetch, and what they advertise. `pushing` writes to them."""

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import FetchPrune

from sluice.core.finding import UsageError
from sluice.git.callbacks import (
    Callbacks,
    CredentialsRefusedError,
    Login,
    redact,
)
from sluice.git.network import LONG_SECONDS, WHOLE_SECONDS, choose_proxy, set_timeouts
from sluice.git.repository import Repository, open_repository
from sluice.network.deadlines import within

if TYPE_CHECKING:
    from sluice.git.advertisement import Advertisement, Service

__all__ = [
    "CredentialsRefusedError",
    "Login",
    "clone",
    "fetch",
    "list_remote_refs",
    "read_remote_url",
    "redact",
]


class DeniedError(UsageError):
    """The server answers, and does not let us; `cause` is the kind of it in few words."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


def read_remote_url(repo: Repository, name: str = "origin") -> str | None:
    """Return the URL of a remote without any credentials in it, None when there is no remote."""
    if name not in repo.remotes.names():
        return None
    return redact(repo.remotes[name].url or "") or None


def clone(url: str, path: str | PathLike[str]) -> Repository:
    """Clone `url` into a new bare repository at `path`: all or nothing.

    The branches of the remote are at refs/remotes/origin/, as `fetch` keeps them.

    Raises:
        UsageError: `path` exists, or the remote cannot be read.
    """
    target = Path(path)
    if target.exists():
        raise UsageError(f"{target} exists already")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    callbacks, proxy = _make_callbacks(url), choose_proxy(url)
    try:
        # Freed before the move: the paths that the handle holds would be the old ones.
        with within(LONG_SECONDS, refuse_late, refuse_too_large):
            pygit2.clone_repository(
                url, partial, bare=True, callbacks=callbacks, proxy=proxy
            ).free()
        partial.rename(target)
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        raise UsageError(f"cannot clone {redact(url)}: {callbacks.explain(error)}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_repository(target)


def list_remote_refs(
    repo: Repository, remote: str = "origin", *, login: Login | None = None
) -> Mapping[str, str]:
    """Return the refs of a remote, full name → id, without fetching anything.

    Args:
        repo: the repository.
        remote: its name.
        login: gives user name and password, where the environment has no token.

    Raises:
        UsageError: no such remote, or it cannot be read.
    """
    source = find_remote(repo, remote)
    refs = ask_over_http(source.url or "", "git-upload-pack", login, "cannot read")
    if refs is not None:
        return refs
    callbacks = _make_callbacks(source.url or "", login)
    try:
        with within(WHOLE_SECONDS, refuse_late, refuse_too_large):
            heads = source.list_heads(callbacks=callbacks, proxy=choose_proxy(source.url or ""))
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        where = redact(source.url or remote)
        raise UsageError(f"cannot read {where}: {callbacks.explain(error)}") from None
    return {head.name: str(head.oid) for head in heads if head.name}


def fetch(
    repo: Repository,
    refspecs: Sequence[str] = (),
    remote: str = "origin",
    *,
    login: Login | None = None,
    refs: Mapping[str, str] | None = None,
) -> None:
    """Fetch from a remote, and prune the refs that it has no more.

    Args:
        repo: where to fetch to.
        refspecs: what to fetch; none means those of the remote's configuration.
        remote: its name.
        login: gives user name and password, where the environment has no token.
        refs: what it has advertised just now, where it was asked.

    Raises:
        UsageError: no such remote, or it cannot be read.
    """
    source = find_remote(repo, remote)
    callbacks = _make_callbacks(source.url or "", login, getattr(refs, "header", ""))
    try:
        with within(LONG_SECONDS, refuse_late, refuse_too_large):
            source.fetch(
                list(refspecs) or None,
                callbacks=callbacks,
                prune=FetchPrune.PRUNE,
                proxy=choose_proxy(source.url or ""),
            )
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        where = redact(source.url or remote)
        raise UsageError(f"cannot fetch from {where}: {callbacks.explain(error)}") from None


def refuse_late() -> OSError:
    """Return what a conversation that was cut is taken for."""
    return TimeoutError("timed out")


def refuse_too_large() -> OSError:
    """Return what a conversation is taken for that was cut since it filled the memory."""
    return OSError("too large")


def find_remote(repo: Repository, name: str) -> pygit2.Remote:
    if name not in repo.remotes.names():
        raise UsageError(f"the repository has no remote called {name!r}")
    return repo.remotes[name]


def _make_callbacks(url: str, login: Login | None = None, header: str = "") -> Callbacks:
    set_timeouts()
    return Callbacks(url, os.environ, login, header)


def ask_over_http(
    url: str, service: "Service", login: Login | None, failing: str
) -> "Advertisement | None":
    """Ask a server for its refs over HTTP; None where libgit2 has to ask.

    Args:
        url: of the repository.
        service: what it is asked for.
        login: gives user name and password, where the environment has no token.
        failing: how the message about a failure begins.

    Raises:
        DeniedError: the server does not let us.
        CredentialsRefusedError: it does not accept the credentials.
        UsageError: it has no answer.
    """
    if not url.startswith(("http:", "https:")):
        return None
    from sluice.git.advertisement import UnansweredError, ask  # noqa: PLC0415  # brings a client

    try:
        return ask(url, service, os.environ, login)
    except UnansweredError as error:
        message = f"{failing} {redact(url)}: {error}"
        if error.cause:
            raise DeniedError(message, error.cause) from None
        raise UsageError(message) from None
