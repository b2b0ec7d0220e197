"""What the registry asks for: the version that each release should serve, by what it follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.core.layout import Key
from sluice.core.model import Follow, ModelVersion
from sluice.core.pipeline import Specs
from sluice.core.specs.resolve import Release


@dataclass(frozen=True, slots=True)
class Want:
    """A version that the registry asks for where another one is deployed.

    `notes` say what was decided where the registry left a choice; `doubt` why a person should
    confirm that choice before it is merged.
    """

    release: Release
    version: ModelVersion
    deployed: ModelVersion | None
    notes: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Idle:
    """A release for which there is nothing to propose, and why.

    `unseen` says that this is so because the registry did not show something, which it may do only
    for now.
    """

    release: Release
    reason: str
    problem: bool = False
    unseen: bool = False


def wants(
    specs: Specs,
    observed: Mapping[str, Sequence[ModelVersion]],
    registered: Mapping[Key, int] | None = None,
) -> list[Want | Idle]:
    """Compare every release that follows the registry with what the registry says.

    Args:
        specs: what Git says.
        observed: every version of each model that the registry has.
        registered: when the deployed versions were registered, where Git knows it; a version of
            the same number that was registered at another time is another version.
    """
    known = registered or {}
    return [
        want_of(release, follow, observed, known.get(release.key))
        for _, release in sorted(specs.releases.items())
        for follow in (release.follows,)
        if follow is not None
    ]


def want_of(
    release: Release,
    follow: Follow,
    observed: Mapping[str, Sequence[ModelVersion]],
    registered: int | None,
) -> Want | Idle:
    """Compare one release with what the registry says; see `wants`."""
    name, current = release.spec.model.name, release.spec.model.version
    versions = observed.get(name)
    if versions is None:
        return Idle(release, _ABSENT.format(repr(name)), problem=True, unseen=True)
    chosen, notes = _chosen(versions, follow)
    deployed = next((v for v in versions if v.version == current), None)
    if deployed and registered not in (None, deployed.created):
        notes, deployed = (*notes, _another(deployed)), None
        if chosen and chosen.version == current:
            return Idle(release, f"{_another(chosen)}; {_RENUMBER}", problem=True)
    reason = _reason_to_wait(release, chosen, follow)
    if chosen is None or reason:
        return Idle(release, reason, unseen=chosen is None or not chosen.ready)
    if deployed is None and registered is None:
        notes = (*notes, f"the deployed version {current} is not in the registry")
    elif deployed is None and all(v.version != current for v in versions):
        notes = (*notes, f"the deployed version {current} is no longer in the registry")
    return Want(release, chosen, deployed, notes, _doubt(chosen, versions, follow))


_ABSENT = (
    "the registry has no model {}, or this account may not read it: if it was renamed or deleted, "
    "correct spec.model.name; else grant READ"
)
_RENUMBER = "register the new weights as one more version and promote that"


def _another(version: ModelVersion) -> str:
    return (
        f"version {version.version} in the registry is not the one that is deployed: its model was "
        "deleted and created again"
    )


def _doubt(chosen: ModelVersion, versions: Sequence[ModelVersion], follow: Follow) -> str:
    """An edited description looks like a stage that was set, so going back must be confirmed."""
    if all(v.created <= chosen.created for v in _staged(versions, follow)):
        return ""
    return f"a person decides whether {follow} means version {chosen.version}"


def _reason_to_wait(release: Release, chosen: ModelVersion | None, follow: Follow) -> str:
    """Why there is nothing to propose now, or nothing."""
    current = release.spec.model.version
    if chosen is None:
        return f"no version is in {follow}"
    if chosen.version in release.spec.model.quarantine:
        return f"version {chosen.version} is in quarantine"
    if chosen.version == current:
        return f"version {current} is {'being rolled out' if release.rollout else 'deployed'}"
    if release.rollout is not None:
        return f"version {chosen.version} waits for the rollout of {current}"
    return "" if chosen.ready else f"version {chosen.version} is not ready in the registry"


def _chosen(
    versions: Sequence[ModelVersion], follow: Follow
) -> tuple[ModelVersion | None, tuple[str, ...]]:
    if follow.alias:
        return next((v for v in versions if follow.alias in v.aliases), None), ()
    staged = _staged(versions, follow)
    if not staged:
        return None, ()
    chosen = max(staged, key=lambda v: (v.updated, v.created, len(v.version), v.version))
    if len(staged) == 1:
        return chosen, ()
    listed = ", ".join(sorted((v.version for v in staged), key=lambda v: (len(v), v)))
    return chosen, (
        f"versions {listed} are all in {follow}; {chosen.version} was moved or changed last",
    )


def _staged(versions: Sequence[ModelVersion], follow: Follow) -> list[ModelVersion]:
    """The versions in the stage that is followed; none where an alias is, which is on one only."""
    stage = follow.stage.lower()
    return [version for version in versions if stage and version.stage.lower() == stage]
