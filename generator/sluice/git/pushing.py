"""Pushing: refs of a remote move from the value that the caller saw, or the server says why not."""

import os
import re
from collections.abc import Mapping

import pygit2

from sluice.core.finding import UsageError
from sluice.git.callbacks import Callbacks, Login, redact
from sluice.git.network import WHOLE_SECONDS, choose_proxy, set_timeouts
from sluice.git.refs import RefMovedError
from sluice.git.remote import ask_over_http, find_remote, refuse_late, refuse_too_large
from sluice.git.repository import Repository
from sluice.network.deadlines import within

_SCP_LIKE = re.compile(r"[^/\\:]+:(?!//)")
# What they say of a branch that not everybody may push to.
_PROTECTED = ("protected branch", "gh006", "gh013", "not allowed to push code to protected")
# What servers say when the ref moved between their advertisement and the update.
_MOVED = ("failed to update ref", "cannot lock ref", "stale info", "fetch first", "incorrect old")
_LONGEST_OUTPUT = 4000  # characters of what a server's hooks print that are kept


class PushRefusedError(UsageError):
    """The server refused the push: a hook, a protected branch; the text is the server's."""

    @property
    def cause(self) -> str:
        """The kind of it in few words."""
        message = str(self).lower()
        if any(text in message for text in _PROTECTED):
            return "protected branch"
        if "permission denied" in message:
            return "read-only token"
        return "push refused"


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

    Args:
        repo: the repository.
        updates: full name of a ref, and the id that it has and the one that it gets.
        remote: its name.
        login: gives user name and password, where the environment has no token.

    Raises:
        RefMovedError: a ref was not as expected, before the push or by the time it arrived.
        PushRefusedError: the server said no.
        UsageError: the remote is local or cannot be reached.
    """
    target = find_remote(repo, remote)
    callbacks = _prepare_push(target, updates, login)
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

    Args:
        repo: the repository.
        updates: full name of a ref, and the id that it has and the one that it gets.
        remote: its name.
        login: gives user name and password, where the environment has no token.

    Raises:
        UsageError: the remote is local or cannot be reached.
    """
    target, left = find_remote(repo, remote), dict(updates)
    while left:
        callbacks = _prepare_push(target, left, login)
        try:
            _send(target, left, callbacks)
        except RefMovedError:  # before anything was sent
            left = {ref: update for ref, update in left.items() if ref not in callbacks.stale}
        else:
            return callbacks.accepted
    return frozenset()


def _prepare_push(
    target: pygit2.Remote,
    updates: Mapping[str, tuple[str | None, str | None]],
    login: Login | None,
) -> "_PushCallbacks":
    url = _choose_address(target)
    if _is_local(url):
        raise UsageError(f"{url} is a local repository: open it and update its refs instead")
    return _PushCallbacks(url, updates, login)


def _send(
    target: pygit2.Remote,
    updates: Mapping[str, tuple[str | None, str | None]],
    callbacks: "_PushCallbacks",
) -> None:
    refspecs = [_make_refspec(ref, new) for ref, (_, new) in updates.items()]
    try:
        with within(WHOLE_SECONDS, refuse_late, refuse_too_large):
            target.push(refspecs, callbacks, proxy=choose_proxy(_choose_address(target)))
    except (pygit2.GitError, OSError, TypeError, ValueError) as error:
        message = f"cannot push to {callbacks.address}: {callbacks.explain(error)}"
        raise UsageError(message) from None


def _choose_address(target: pygit2.Remote) -> str:
    return target.push_url or target.url or ""


def _make_refspec(ref: str, new: str | None) -> str:
    if not new:
        return f":{ref}"  # deletes it
    return f"+{new}:{ref}"  # also where it is no descendant: the lease is what protects


def _is_local(url: str) -> bool:
    return url.startswith("file:") or ("://" not in url and not _SCP_LIKE.match(url))


class _PushCallbacks(Callbacks):
    """Holds the lease before anything is sent and collects what the server made of each ref."""

    def __init__(
        self,
        url: str,
        updates: Mapping[str, tuple[str | None, str | None]],
        login: Login | None = None,
    ) -> None:
        set_timeouts()
        refs = ask_over_http(url, "git-receive-pack", login, "cannot push to")
        header = refs.header if refs is not None else ""
        super().__init__(url, os.environ, login, header)
        self._updates = updates
        self._verdicts: dict[str, str | None] = {}
        self._output = ""
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
            actual = None if _is_zero(update.src) else str(update.src)
            # What it should become may be there already: an answer was lost, and we push again.
            if actual not in (expected, new):
                moved.append(RefMovedError(ref, expected, actual))
        self.stale = {error.name for error in moved}
        if moved:
            raise moved[0]

    def push_update_reference(self, refname: str, message: str | None) -> None:
        """Keep the server's verdict on a ref; None means accepted."""
        self._verdicts[refname] = message

    def sideband_progress(self, string: str) -> None:
        """Keep what the server's hooks print, up to a length that fits a message."""
        self._output = (self._output + string)[:_LONGEST_OUTPUT]

    def check(self) -> None:
        """Raise what the server said about the first ref that it refused."""
        for ref, (expected, _) in self._updates.items():
            message = self._verdicts.get(ref, "the server did not say what became of it")
            if message is None:
                continue
            if any(text in message for text in _MOVED):
                raise RefMovedError(ref, expected, "another commit")
            complaint = f"the server refused {ref}: {message}"
            output = " ".join(self._output.split())
            if output:
                complaint += f" ({output})"
            raise PushRefusedError(self.scrub(complaint))


def _is_zero(oid: pygit2.Oid) -> bool:
    return not any(oid.raw)
