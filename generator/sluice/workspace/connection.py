"""Which repository, forge and registry a command works with."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sluice import files, git
from sluice.core.finding import UsageError
from sluice.core.forge import Forge
from sluice.core.model import Signature
from sluice.forges import forge_of, git_url, open_forge
from sluice.forges.absent import AbsentForge
from sluice.forges.kinds import KINDS
from sluice.forges.local import LocalForge
from sluice.forges.timing import Timing


class Connected(NamedTuple):
    """The repository that counts, and where its pull requests live."""

    upstream: git.Upstream
    forge: Forge


@dataclass(frozen=True)
class Place:
    """Where to look, as the options say."""

    root: str | None = None
    repository: str | None = None
    forge: str | None = None
    state: str | None = None


def connect(
    repository: str | None,
    forge: str | None,
    root: str | None,
    state: str | None,
    author: Signature,
    timing: Timing | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    needs_forge: bool = True,
) -> Connected:
    """Return the bare repository of this machine with its embedded forge, or remote ones.

    Args:
        repository: a path, or the URL of a remote; `origin` of `root` when absent.
        forge: the address of a remote forge; known by itself on public hosts.
        root: the work tree.
        state: where mirrors are kept; they may be lost.
        author: who the embedded forge acts for.
        timing: how the forge's client waits.
        environ: where its credentials are.
        needs_forge: whether it is an error when the remote forge cannot be opened; else what is
            asked of it later is one.

    Raises:
        UsageError: when it cannot be told where something is.
    """
    where = repository or _find_origin(root, forge)
    if not is_remote(where):
        bare = find_repository(where, None)
        near = open_forge(forge, environ, timing) if forge else open_local_forge(bare, author)
        near.believe(git.Merged(bare))
        return Connected(git.Direct(bare), near)
    git.check_trust(environ)
    address = forge or forge_of(where) or ""
    opened: Forge
    try:
        opened = _open_remote_forge(where, address, environ, timing)
    except UsageError as error:
        if needs_forge:
            raise
        opened, address = AbsentForge(str(error)), ""
    # A forge's token goes to the forge's own host only.
    known = bool(address) and urlsplit(git_url(address)).hostname == urlsplit(where).hostname
    mirror = git.open_mirror(
        where, _state_folder(state, environ), opened.git_login if known else None
    )
    opened.believe(git.Merged(mirror.repository))
    return Connected(mirror, opened)


def connect_forge(
    forge: str | None, root: str | None, author: Signature, environ: Mapping[str, str] = os.environ
) -> Forge:
    """Return only where the pull requests of a work tree's `origin` live; as `connect`."""
    where = _find_origin(root, forge)
    if is_remote(where):
        git.check_trust(environ)
        return _open_remote_forge(where, forge or forge_of(where) or "", environ)
    return (
        open_forge(forge, environ)
        if forge
        else open_local_forge(find_repository(where, None), author)
    )


def _open_remote_forge(
    where: str, address: str, environ: Mapping[str, str], timing: Timing | None = None
) -> Forge:
    """The forge of a remote repository, as it was named or as its host tells."""
    if not address:
        raise UsageError(
            f"{git.redact(where)}: say where its pull requests live, with --forge "
            "KIND:OWNER/REPOSITORY@HOST or SLUICE_FORGE"
        )
    return open_forge(address, environ, timing)


def find_forge_kind(repository: str | None, forge: str | None, root: str | None) -> str | None:
    """Return the name of the remote forge's kind, None for the embedded one."""
    address = forge or forge_of(repository or _find_origin(root, None))
    kind = address.partition(":")[0] if address else ""
    return kind if kind in KINDS else None


def is_remote(where: str) -> bool:
    """Whether an address is that of another machine's repository."""
    if "://" in where:
        return not where.startswith("file://")
    host, colon, _ = where.partition(":")
    return bool(colon) and "/" not in host and not Path(where).exists()


def _find_origin(root: str | None, forge: str | None) -> str:
    """The remote of the work tree, or the forge's own repository."""
    if forge:
        return git_url(forge)
    clone = git.open_repository(Path(root or "."))
    if clone.is_bare:
        return clone.path
    url = git.read_remote_url(clone)
    if url is None:
        raise UsageError("this repository has no remote `origin`; name one with --repository")
    if is_remote(url):
        return url
    path = url.removeprefix("file://")
    return str(Path(clone.workdir or ".") / path)


def _state_folder(given: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of the mirrors, for this user alone.

    Raises:
        UsageError: a link or a file is in the way.
    """
    cache = environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    # A home may be reached over a link; what is below it may not.
    folder = Path(given) if given else Path(cache).resolve() / "sluice"
    files.make_folder(folder, mode=0o700)
    return folder


def find_repository(
    repository: str | None, root: str | None, *, only_read: bool = False
) -> git.Repository:
    """The bare repository: the one that is named, or `origin` of the work tree.

    Args:
        repository: its path; None for `origin`.
        root: the work tree.
        only_read: nothing is going to be written, so that it may have a work tree.

    Raises:
        UsageError: when it cannot be told or is not on this machine.
    """
    path = (repository or _find_origin(root, None)).removeprefix("file://")
    if not Path(path).is_dir():
        raise UsageError(
            f"{git.redact(path)} is not on this machine; the embedded forge needs the bare "
            "repository itself: name it with --repository"
        )
    return git.open_repository(path) if only_read else _open_bare(path)


def open_local_forge(repository: git.Repository, author: Signature) -> LocalForge:
    """The embedded forge of a bare repository."""
    return LocalForge(git.Store(repository), now, author)


def read_person(repository: git.Repository) -> Signature:
    """Who is at the keyboard, as Git knows them."""
    return Signature(
        _read_setting(repository, "user.name") or "somebody",
        _read_setting(repository, "user.email") or "somebody@localhost",
    )


def _read_setting(repository: git.Repository, key: str) -> str | None:
    return repository.config[key] if key in repository.config else None  # noqa: SIM401  # no get


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def _open_bare(path: str) -> git.Repository:
    repository = git.open_repository(path)
    if not repository.is_bare:
        raise UsageError(f"{path} has a work tree; name a bare repository (git clone --bare)")
    return repository
