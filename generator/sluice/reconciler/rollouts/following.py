"""How the cluster follows one rollout: its live weight, and what stands in the way of Git's."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sluice import git
from sluice.core import layout
from sluice.core.cluster import Source
from sluice.core.finding import UsageError
from sluice.core.observation.argocd import application_name, routes_name
from sluice.core.observation.following import (
    Content,
    Following,
    Hindrance,
    Wanted,
    hindrances,
    stuck_at,
)
from sluice.core.specs.environment_records import ArgoCD
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import FULL
from sluice.reconciler.rollouts.observation import applications, namespace_of, read_live
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.write import Case


def observe_following(case: Case, observers: Observers, now: int) -> Following:
    """What the cluster does of what Git says of a rollout."""
    seen = read_live(case, observers)
    problems = [Hindrance("route", seen.problem)] if seen.problem else []
    problems += [Hindrance("astray", seen.astray)] if seen.astray else []
    return Following(
        committed=case.rollout.weight,
        live=seen.weight,
        source=seen.source,
        since=max(0, now - case.history.time),
        hindrances=(*_find_hindrances(case, observers, now), *problems),
    )


def find_stuck_revision(case: Case, observers: Observers, now: int) -> str:
    """The older revision at which a sync of the routes hangs; empty when none does."""
    routes = routes_name(case.release)
    if routes is None:
        return ""
    wanted = _read_wanted(case, routes, layout.routes_directory(case.release.key), now)
    return stuck_at(applications(case.release, observers).routes, wanted)


def _find_hindrances(case: Case, observers: Observers, now: int) -> Iterator[Hindrance]:
    """What Argo CD says of both applications, or why it does not."""
    release = case.release
    namespace = namespace_of(release)
    if namespace is None:
        said = f"nobody says what is applied: {release.key.environment} has no argocd"
        yield Hindrance("unknown", said)
        return
    silence = observers.why_silent(namespace)
    if silence:
        yield Hindrance("unknown", f"Argo CD is not seen: {silence}")
        return
    found = applications(release, observers)
    routes = routes_name(release)
    if routes is not None:
        folder = layout.routes_directory(release.key)
        yield from hindrances(found.routes, _read_wanted(case, routes, folder, now))
    name, folder = application_name(release), layout.release_directory(release.key)
    yield from hindrances(found.workload, _read_wanted(case, name, folder, now))


def _read_wanted(case: Case, name: str, folder: str, now: int) -> Wanted:
    """What an application of a release is to follow."""

    def contains(revision: str) -> bool:
        return case.base.contains(revision, case.history.clock)

    def knows(revision: str) -> bool:
        try:
            git.commit_of(case.base.repository, revision)
        except UsageError:
            return False
        return True

    source = source_of(case.release, folder)
    content = _read_contents(case.base.repository, folder)
    return Wanted(
        name,
        source,
        contains,
        case.history.time,
        now,
        knows,
        content=content,
        wanted=content(case.history.clock),
    )


def _read_contents(repository: git.Repository, folder: str) -> Callable[[str], Content | None]:
    """What a folder has at a revision: files, since Argo CD reads no folder below it."""

    def content(revision: str) -> Content | None:
        try:
            entries = git.list_tree(repository, revision, [folder])
        except UsageError:
            return None
        return frozenset(
            (path, entry.id) for path, entry in entries.items() if path.rpartition("/")[0] == folder
        )

    return content


def is_settled(
    repository: git.Repository | None, release: Release, observers: Observers, now: int
) -> Following | None:
    """How the cluster follows a release that does not roll out; None where nobody says.

    What is compared is what Argo CD says that it compares: a commit that it has not seen yet
    changes no weight here. Without a repository nobody knows which commits changed the release.
    """
    namespace = namespace_of(release)
    if namespace is None or observers.why_silent(namespace):
        return None
    found = applications(release, observers)
    listed = [(found.workload, application_name(release), layout.release_directory(release.key))]
    if (routes := routes_name(release)) is not None:
        listed.insert(0, (found.routes, routes, layout.routes_directory(release.key)))
    told: list[Hindrance] = []
    for application, name, folder in listed:
        wanted = Wanted(name, source_of(release, folder), bool, now, now)
        if repository is not None:
            wanted = replace(wanted, content=_read_contents(repository, folder))
        told += hindrances(application, wanted)
    return Following(FULL, None, "", 0, tuple(told))


def source_of(release: Release, folder: str) -> Source:
    """A folder of the repository, as the environment says that Argo CD reads it."""
    argocd = release.environment.spec.argocd or ArgoCD()
    return Source(argocd.repo_url, argocd.target_revision, folder)
