"""What `status` and `board` look at: the specs in Git, and what a forge and Argo CD say of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice import files, git
from sluice.core.cluster import Application
from sluice.core.documents.limits import SPEC
from sluice.core.finding import UsageError
from sluice.core.forge import Forge, PullRequest
from sluice.core.layout import Key
from sluice.core.names import nearest
from sluice.core.observation.argocd import application_name, routes_name
from sluice.core.observation.following import Following
from sluice.core.reports.status import Outside, status
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.reconciler.rollouts.following import is_settled, observe_following
from sluice.reconciler.rollouts.observers import UNSET, Observers, open_observers
from sluice.reconciler.rollouts.scene import Base
from sluice.reconciler.rollouts.tick import read_case
from sluice.reconciler.runtime import find_main
from sluice.workspace.connection import Place, connect, connect_forge, now
from sluice.workspace.identity import AUTHOR
from sluice.workspace.revisions import open_revision, read_workspace
from sluice.workspace.workspace import FOLDERS, Workspace, find_root

HEAD = "HEAD"
FETCHED = "refs/remotes/origin/main"
_PULLS, _ARGOCD, _ROUTES, _MAIN = "pull requests", "Argo CD", "routes", "main"


@dataclass(frozen=True)
class Overview:
    """A tree of specs with its evidence, and what is known beside it."""

    workspace: Workspace
    outside: Outside


def look(place: Place) -> Overview:
    """Read the specs and ask who can be asked; who does not answer is told of as unknown.

    Raises:
        UsageError: there are no specs, or the repository that was named cannot be read.
    """
    unknown: dict[str, str] = {}
    specs = _read_specs(place)
    pulls, eyes = _list_pulls(specs.forge, unknown), open_observers()
    if specs.behind:
        unknown[_MAIN] = specs.behind
    applications = _list_applications(specs.workspace, eyes, unknown)
    before = len(eyes.problems)
    follows = {} if applications is None else _observe_following(specs, eyes)
    if unread := [*eyes.gaps, *eyes.problems[before:]]:
        unknown[_ROUTES] = "; ".join(unread)
    return Overview(
        specs.workspace, Outside(specs.revision, pulls, applications, unknown, following=follows)
    )


@dataclass(frozen=True)
class _Specs:
    """What is looked at: the files, the commit and repository they are from, and its forge.

    To find the forge may fail without that mattering. `behind` says how the commit is not that of
    the remote, in words.
    """

    workspace: Workspace
    revision: str
    forge: Callable[[], Forge]
    repository: git.Repository | None = None
    behind: str = ""


def _read_specs(place: Place) -> _Specs:
    """The base branch of the repository that was named, or what is checked out here."""
    if place.repository:
        found = connect(place.repository, place.forge, place.root, place.state, AUTHOR)
        found.upstream.refresh()
        there = found.upstream.repository
        commit = find_main(there)
        return _Specs(read_workspace(there, commit), commit, lambda: found.forge, there)
    root = find_root(place.root)
    return _read_checked_out(root, lambda: connect_forge(place.forge, str(root), AUTHOR))


def _read_checked_out(root: Path, forge: Callable[[], Forge]) -> _Specs:
    """What is committed, and the commit; the files as they are where nothing is."""
    try:
        revision = open_revision(root, HEAD)
        commit = git.resolve(revision.repository, HEAD)
        workspace = revision.workspace()
    except UsageError:  # no repository, or nothing is committed yet
        return _Specs(_find_uncommitted(root), "", forge)
    if not workspace.files:
        return _Specs(_find_uncommitted(root), "", forge)
    return _Specs(workspace, commit, forge, revision.repository, _find_behind(revision.repository))


def _find_behind(clone: git.Repository) -> str:
    """How what is checked out differs from the remote's main as it was fetched last."""
    fetched, here = git.tip(clone, FETCHED), git.resolve(clone, HEAD)
    if fetched is None or fetched == here:
        return ""
    said = f"this is of {here[:10]}, and main was at {fetched[:10]} when it was fetched last"
    return f"{said}: `git pull`, or name the --repository"


def _find_uncommitted(root: Path) -> Workspace:
    found = files.read(root, FOLDERS, SPEC.size)
    return Workspace(found.files, tuple(found.links), tuple(found.odd))


def _list_pulls(forge: Callable[[], Forge], unknown: dict[str, str]) -> list[PullRequest] | None:
    try:
        with isolated("the forge"):
            return list(forge().list("open"))
    except UsageError as error:
        unknown[_PULLS] = str(error)
        return None


def _list_applications(
    workspace: Workspace, eyes: Observers, unknown: dict[str, str]
) -> dict[tuple[str, str], Application | None] | None:
    """What Argo CD says of each release that it applies; None when it is not asked."""
    wanted = list(_name_applications(workspace))
    if eyes.cluster is None:
        if wanted:
            unknown[_ARGOCD] = UNSET
        return None
    found = {name: eyes.application(*name) for name in wanted}
    if eyes.problems:
        unknown[_ARGOCD] = "; ".join(eyes.problems)
    return found


def _observe_following(specs: _Specs, eyes: Observers) -> dict[Key, Following | None]:
    """How the cluster follows each release, of those that roll out from their commits."""
    found: dict[Key, Following | None] = {}
    time, releases = now(), specs.workspace.specs.releases
    if specs.repository is not None and any(each.rollout for each in releases.values()):
        base = Base(specs.repository, specs.revision)
        for release, history in base.under_way():
            with _tell(eyes, release.key):
                found[release.key] = observe_following(
                    read_case(base, release, history), eyes, time
                )
        eyes.problems += [f"{key}: {error}" for key, error in base.failed.items()]
    for key, release in releases.items():
        if key not in found and release.rollout is None:
            with _tell(eyes, key):
                found[key] = is_settled(specs.repository, release, eyes, time)
    return found


@contextmanager
def _tell(eyes: Observers, key: Key) -> Iterator[None]:
    """Let what nobody foresaw of one release be told as what is not known of it."""
    try:
        with apart("how a release is followed"):
            yield
    except UnforeseenError as error:
        eyes.problems.append(f"{key}: {error}")


def _name_applications(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Namespace and name of the application of each release."""
    for _, release in sorted(workspace.specs.releases.items()):
        argocd = release.environment.spec.argocd
        if argocd is not None:
            yield argocd.namespace, application_name(release)
            if (routes := routes_name(release)) is not None:
                yield argocd.namespace, routes


def describe(seen: Overview, environment: str | None) -> Mapping[str, Any]:
    """What `status` and `board` show.

    Raises:
        UsageError: there is no such environment.
    """
    workspace = seen.workspace
    known = sorted(workspace.specs.environments)
    if environment is not None and environment not in known:
        close = nearest(environment, known)
        hint = f"did you mean {close}?" if close else f"there are {', '.join(known) or 'none'}"
        raise UsageError(f"there is no environment {environment}; {hint}")
    return status(
        workspace.specs, workspace.tools.catalog, workspace.files, seen.outside, environment
    )
