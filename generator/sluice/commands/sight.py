"""What `status` and `board` look at: the specs in Git, and what a forge and Argo CD say of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sluice import files, git
from sluice.commands.connect import Place, connect, connect_forge
from sluice.commands.cycle import AUTHOR, MAIN
from sluice.commands.revisions import at_revision, workspace_of
from sluice.commands.rollout_observers import Observers, observers
from sluice.commands.workspace import FOLDERS, Workspace, find_root
from sluice.core.finding import UsageError
from sluice.core.model import Application, Forge, PullRequest
from sluice.core.progress.observation import application_name
from sluice.core.reports.status import Outside
from sluice.core.specs.load import SIZE_LIMIT

HEAD = "HEAD"
_PULLS, _ARGOCD = "pull requests", "Argo CD"


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
    workspace, revision, forge = _specs(place)
    pulls = _pulls(forge, unknown)
    applications = _applications(workspace, observers(), unknown)
    return Sight(workspace, Outside(revision, pulls, applications, unknown))


def _specs(place: Place) -> tuple[Workspace, str, Callable[[], Forge]]:
    """The base branch of the repository that was named, or what is checked out here.

    With it comes how to find its forge, which may fail without that mattering.
    """
    if place.repository:
        found = connect(place.repository, place.forge, place.root, place.state, AUTHOR)
        found.upstream.refresh()
        commit = git.resolve(found.upstream.repository, MAIN)
        return workspace_of(found.upstream.repository, commit), commit, lambda: found.forge
    root = find_root(place.root)
    return *_checked_out(root), lambda: connect_forge(place.forge, str(root), AUTHOR)


def _checked_out(root: Path) -> tuple[Workspace, str]:
    """What is committed, and the commit; the files as they are where nothing is."""
    try:
        revision = at_revision(root, HEAD)
        commit = git.resolve(revision.repository, HEAD)
        workspace = revision.workspace()
    except UsageError:  # no repository, or nothing is committed yet
        return _uncommitted(root), ""
    return (workspace, commit) if workspace.files else (_uncommitted(root), "")


def _uncommitted(root: Path) -> Workspace:
    found = files.read(root, FOLDERS, SIZE_LIMIT)
    return Workspace(found.files, tuple(found.links))


def _pulls(forge: Callable[[], Forge], unknown: dict[str, str]) -> list[PullRequest] | None:
    try:
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
            unknown[_ARGOCD] = "nobody said where it is; set SLUICE_ARGOCD"
        return None
    found = {name: eyes.application(*name) for name in wanted}
    if eyes.problems:
        unknown[_ARGOCD] = "; ".join(eyes.problems)
    return found


def _named(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Namespace and name of the application of each release."""
    for _, release in sorted(workspace.specs.releases.items()):
        argocd = release.environment.spec.get("argocd")
        if argocd is not None:
            yield argocd.get("namespace", "argocd"), application_name(release)
