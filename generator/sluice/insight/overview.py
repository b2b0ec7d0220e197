"""What `status` and `board` look at: the specs in Git, and what a forge and Argo CD say of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice import files, git
from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.model import Application, Forge, PullRequest
from sluice.core.names import nearest
from sluice.core.observation.argocd import application_name, routes_name
from sluice.core.observation.following import Following
from sluice.core.reports.status import Outside, status
from sluice.core.specs.load import SIZE_LIMIT
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.reconciler.rollouts.following import following, settled
from sluice.reconciler.rollouts.observers import UNSET, Observers, observers
from sluice.reconciler.rollouts.scene import Base
from sluice.reconciler.rollouts.tick import case_of
from sluice.reconciler.runtime import main_of
from sluice.workspace.connection import Place, connect, connect_forge, now
from sluice.workspace.identity import AUTHOR
from sluice.workspace.revisions import at_revision, workspace_of
from sluice.workspace.workspace import FOLDERS, Workspace, find_root

HEAD = "HEAD"
FETCHED = "refs/remotes/origin/main"
_PULLS, _ARGOCD, _ROUTES, _MAIN = "pull requests", "Argo CD", "routes", "main"


@dataclass(frozen=True)
class Sight:
    """A tree of specs with its evidence, and what is known beside it."""

    workspace: Workspace
    outside: Outside


def sight(place: Place) -> Sight:
    """Read the specs and ask who can be asked; who does not answer is told of as unknown.

    Raises:
        UsageError: there are no specs, or the repository that was named cannot be read.
    """
    unknown: dict[str, str] = {}
    specs = _specs(place)
    pulls, eyes = _pulls(specs.forge, unknown), observers()
    if specs.behind:
        unknown[_MAIN] = specs.behind
    applications = _applications(specs.workspace, eyes, unknown)
    before = len(eyes.problems)
    follows = {} if applications is None else _following(specs, eyes)
    if unread := [*eyes.gaps, *eyes.problems[before:]]:
        unknown[_ROUTES] = "; ".join(unread)
    return Sight(
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


def _specs(place: Place) -> _Specs:
    """The base branch of the repository that was named, or what is checked out here."""
    if place.repository:
        found = connect(place.repository, place.forge, place.root, place.state, AUTHOR)
        found.upstream.refresh()
        there = found.upstream.repository
        commit = main_of(there)
        return _Specs(workspace_of(there, commit), commit, lambda: found.forge, there)
    root = find_root(place.root)
    return _checked_out(root, lambda: connect_forge(place.forge, str(root), AUTHOR))


def _checked_out(root: Path, forge: Callable[[], Forge]) -> _Specs:
    """What is committed, and the commit; the files as they are where nothing is."""
    try:
        revision = at_revision(root, HEAD)
        commit = git.resolve(revision.repository, HEAD)
        workspace = revision.workspace()
    except UsageError:  # no repository, or nothing is committed yet
        return _Specs(_uncommitted(root), "", forge)
    if not workspace.files:
        return _Specs(_uncommitted(root), "", forge)
    return _Specs(workspace, commit, forge, revision.repository, _behind(revision.repository))


def _behind(clone: git.Repository) -> str:
    """How what is checked out differs from the remote's main as it was fetched last."""
    fetched, here = git.tip(clone, FETCHED), git.resolve(clone, HEAD)
    if fetched is None or fetched == here:
        return ""
    said = f"this is of {here[:10]}, and main was at {fetched[:10]} when it was fetched last"
    return f"{said}: `git pull`, or name the --repository"


def _uncommitted(root: Path) -> Workspace:
    found = files.read(root, FOLDERS, SIZE_LIMIT)
    return Workspace(found.files, tuple(found.links), tuple(found.odd))


def _pulls(forge: Callable[[], Forge], unknown: dict[str, str]) -> list[PullRequest] | None:
    try:
        with isolated("the forge"):
            return list(forge().list("open"))
    except UsageError as error:
        unknown[_PULLS] = str(error)
        return None


def _applications(
    workspace: Workspace, eyes: Observers, unknown: dict[str, str]
) -> dict[tuple[str, str], Application | None] | None:
    """What Argo CD says of each release that it applies; None when it is not asked."""
    wanted = list(_named(workspace))
    if eyes.cluster is None:
        if wanted:
            unknown[_ARGOCD] = UNSET
        return None
    found = {name: eyes.application(*name) for name in wanted}
    if eyes.problems:
        unknown[_ARGOCD] = "; ".join(eyes.problems)
    return found


def _following(specs: _Specs, eyes: Observers) -> dict[Key, Following | None]:
    """How the cluster follows each release, of those that roll out from their commits."""
    found: dict[Key, Following | None] = {}
    time, releases = now(), specs.workspace.specs.releases
    if specs.repository is not None and any(each.rollout for each in releases.values()):
        base = Base(specs.repository, specs.revision)
        for release, history in base.under_way():
            with _told(eyes, release.key):
                found[release.key] = following(case_of(base, release, history), eyes, time)
        eyes.problems += [f"{key}: {error}" for key, error in base.failed.items()]
    for key, release in releases.items():
        if key not in found and release.rollout is None:
            with _told(eyes, key):
                found[key] = settled(specs.repository, release, eyes, time)
    return found


@contextmanager
def _told(eyes: Observers, key: Key) -> Iterator[None]:
    """Let what nobody foresaw of one release be told as what is not known of it."""
    try:
        with apart("how a release is followed"):
            yield
    except UnforeseenError as error:
        eyes.problems.append(f"{key}: {error}")


def _named(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Namespace and name of the application of each release."""
    for _, release in sorted(workspace.specs.releases.items()):
        argocd = release.environment.spec.argocd
        if argocd is not None:
            yield argocd.namespace, application_name(release)
            if (routes := routes_name(release)) is not None:
                yield argocd.namespace, routes


def observed(seen: Sight, environment: str | None) -> Mapping[str, Any]:
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
