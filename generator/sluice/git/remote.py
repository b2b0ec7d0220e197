"""Remotes: clone, fetch, and a push that says what became of it."""

import os
import re
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
from sluice.git.network import LONG_SECONDS, WHOLE_SECONDS, configure, proxy_of
from sluice.git.refs import RefMovedError
from sluice.git.repository import Repository, open_repository
from sluice.network.deadlines import within

if TYPE_CHECKING:
    from sluice.git.advertisement import Advertisement, Service

__all__ = [
    "CredentialsRefusedError",
    "Login",
    "PushRefusedError",
    "advertised",
    "clone",
    "fetch",
    "push",
    "push_each",
    "redact",
    "remote_url",
]

_SCP_LIKE = re.compile(r"[^/\\:]+:(?!//)")
# What they say of a branch that not everybody may push to.
_PROTECTED = ("protected branch", "gh006", "gh013", "not allowed to push code to protected")
# What servers say when the ref moved between their advertisement and the update.
_MOVED = ("failed to update ref", "cannot lock ref", "stale info", "fetch first", "incorrect old")


class DeniedError(UsageError):
    """The server answers, and does not let us; `cause` is the kind of it in few words."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class PushRefusedError(UsageError):
    """The server refused the push: a hook, a protected branch; the text is the server's."""

    @property
    def cause(self) -> str:
        """The kind of it in few words."""
        said = str(self).lower()
        if any(text in said for text in _PROTECTED):
            return "protected branch"
        return "read-only token" if "permission denied" in said else "push refused"


def remote_url(repo: Repository, name: str = "origin") -> str | None:
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
    callbacks, proxy = _callbacks(url), proxy_of(url)
    try:
        # Freed before the move: the paths that the handle holds would be the old ones.
        with within(LONG_SECONDS, _late, _too_large):
            pygit2.clone_repository(
                url, partial, bare=True, callbacks=callbacks, proxy=proxy
            ).free()
        partial.rename(target)
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        raise UsageError(f"cannot clone {redact(url)}: {callbacks.explain(error)}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_repository(target)


def advertised(
    repo: Repository, remote: str = "origin", *, login: Login | None = None
) -> Mapping[str, str]:
    """Return the refs of a remote, full name → id, without fetching anything.

    Raises:
        UsageError: no such remote, or it cannot be read.
    """
    source = _remote(repo, remote)
    said = _asked(source.url or "", "git-upload-pack", login, "cannot read")
    if said is not None:
        return said
    callbacks = _callbacks(source.url or "", login)
    try:
        with within(WHOLE_SECONDS, _late, _too_large):
            heads = source.list_heads(callbacks=callbacks, proxy=proxy_of(source.url or ""))
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
    said: Mapping[str, str] | None = None,
) -> None:
    """Fetch from a remote; no refspec means those of its configuration. Stale refs are pruned.

    `said` is what it has advertised just now, where it was asked.

    Raises:
        UsageError: no such remote, or it cannot be read.
    """
    source = _remote(repo, remote)
    callbacks = _callbacks(source.url or "", login, getattr(said, "header", ""))
    try:
        with within(LONG_SECONDS, _late, _too_large):
            source.fetch(
                list(refspecs) or None,
                callbacks=callbacks,
                prune=FetchPrune.PRUNE,
                proxy=proxy_of(source.url or ""),
            )
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        where = redact(source.url or remote)
        raise UsageError(f"cannot fetch from {where}: {callbacks.explain(error)}") from None


def push(
    repo: Repository,
    updates: Mapping[str, tuple[str | None, str | None]],
    remote: str = "origin",
    *,
    login: Login | None = None,
) -> None:
    """Move refs of a remote with a lease: {full ref name: (expected id, new id)}.

    An expected None means that the ref must not exist, a new None deletes it. A ref that already
    is what it should become is fine. Several refs do not move as one: after an error, look.

    Raises:
        RefMovedError: a ref was not as expected, before the push or by the time it arrived.
        PushRefusedError: the server said no.
        UsageError: the remote is local or cannot be reached.
    """
    target = _remote(repo, remote)
    callbacks = _callbacks_of(target, updates, login)
    _send(target, updates, callbacks)
    callbacks.check()


def push_each(
    repo: Repository,
    updates: Mapping[str, tuple[str | None, str | None]],
    remote: str = "origin",
    *,
    login: Login | None = None,
) -> frozenset[str]:
    """Move refs as `push` does, in one conversation, and return those that moved.

    A ref that was not as expected, or that the server refuses, does not keep others from moving;
    pushed by itself it tells why.

    Raises:
        UsageError: the remote is local or cannot be reached.
    """
    target, left = _remote(repo, remote), dict(updates)
    while left:
        callbacks = _callbacks_of(target, left, login)
        try:
            _send(target, left, callbacks)
        except RefMovedError:  # before anything was sent
            left = {ref: update for ref, update in left.items() if ref not in callbacks.stale}
        else:
            return callbacks.accepted
    return frozenset()


def _callbacks_of(
    target: pygit2.Remote,
    updates: Mapping[str, tuple[str | None, str | None]],
    login: Login | None,
) -> "_PushCallbacks":
    url = _address(target)
    if _is_local(url):
        raise UsageError(f"{url} is a local repository: open it and update its refs instead")
    return _PushCallbacks(url, updates, login)


def _send(
    target: pygit2.Remote,
    updates: Mapping[str, tuple[str | None, str | None]],
    callbacks: "_PushCallbacks",
) -> None:
    refspecs = [_refspec(ref, new) for ref, (_, new) in updates.items()]
    try:
        with within(WHOLE_SECONDS, _late, _too_large):
            target.push(refspecs, callbacks, proxy=proxy_of(_address(target)))
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        said = f"cannot push to {callbacks.address}: {callbacks.explain(error)}"
        raise UsageError(said) from None


def _late() -> OSError:
    """What a conversation that was cut is taken for."""
    return TimeoutError("timed out")


def _too_large() -> OSError:
    """What a conversation is taken for that was cut since it filled the memory."""
    return OSError("too large")


def _address(target: pygit2.Remote) -> str:
    return target.push_url or target.url or ""


def _refspec(ref: str, new: str | None) -> str:
    return f"+{new}:{ref}" if new else f":{ref}"


def _remote(repo: Repository, name: str) -> pygit2.Remote:
    if name not in repo.remotes.names():
        raise UsageError(f"the repository has no remote called {name!r}")
    return repo.remotes[name]


def _is_local(url: str) -> bool:
    return url.startswith("file:") or ("://" not in url and not _SCP_LIKE.match(url))


def _callbacks(url: str, login: Login | None = None, header: str = "") -> Callbacks:
    configure()
    return Callbacks(url, os.environ, login, header)


def _asked(
    url: str, service: "Service", login: Login | None, failing: str
) -> "Advertisement | None":
    """What a server says over HTTP; None where libgit2 has to ask."""
    if not url.startswith(("http:", "https:")):
        return None
    from sluice.git.advertisement import UnansweredError, ask  # noqa: PLC0415  # brings a client

    try:
        return ask(url, service, os.environ, login)
    except UnansweredError as error:
        said = f"{failing} {redact(url)}: {error}"
        raise (DeniedError(said, error.cause) if error.cause else UsageError(said)) from None


class _PushCallbacks(Callbacks):
    """Holds the lease before anything is sent and collects what the server made of each ref."""

    def __init__(
        self,
        url: str,
        updates: Mapping[str, tuple[str | None, str | None]],
        login: Login | None = None,
    ) -> None:
        configure()
        said = _asked(url, "git-receive-pack", login, "cannot push to")
        super().__init__(url, os.environ, login, said.header if said is not None else "")
        self._updates = updates
        self._verdicts: dict[str, str | None] = {}
        self._said = ""
        self.address = redact(url)
        self.stale: set[str] = set()

    @property
    def accepted(self) -> frozenset[str]:
        """The refs that the server moved."""
        return frozenset(ref for ref, message in self._verdicts.items() if message is None)

    def push_negotiation(self, updates: list[pygit2.remotes.PushUpdate]) -> None:
        """Compare what the remote advertised with what the caller expected."""
        moved = []
        for update in updates:
            ref = update.dst_refname
            expected, new = self._updates[ref]
            found = None if _is_zero(update.src) else str(update.src)
            if found not in (expected, new):
                moved.append(RefMovedError(ref, expected, found))
        self.stale = {error.name for error in moved}
        for error in moved:
            raise error

    def push_update_reference(self, refname: str, message: str | None) -> None:
        """Keep the server's verdict on a ref; None means accepted."""
        self._verdicts[refname] = message

    def sideband_progress(self, string: str) -> None:
        """Keep what the server's hooks print, up to a length that fits a message."""
        self._said = (self._said + string)[:4000]

    def check(self) -> None:
        """Raise what the server said about the first ref that it refused."""
        for ref, (expected, _) in self._updates.items():
            message = self._verdicts.get(ref, "the server did not say what became of it")
            if message is None:
                continue
            if any(text in message for text in _MOVED):
                raise RefMovedError(ref, expected, "another commit")
            said = " ".join(self._said.split())
            raise PushRefusedError(
                self.scrub(f"the server refused {ref}: {message}" + (f" ({said})" if said else ""))
            )


def _is_zero(oid: pygit2.Oid) -> bool:
    return not any(oid.raw)
