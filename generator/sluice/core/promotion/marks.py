"""What Sluice writes back to the registry on a version, where it is told to: two tags a release.

For people who look at the registry. Nothing is ever read from them to decide what is proposed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.model import MARK, ModelVersion
from sluice.core.promotion.branches import branch_of, branches_at
from sluice.core.promotion.group import share_of
from sluice.core.promotion.message import concerns, written_in
from sluice.core.specs.resolve import Release

_BY_STATE = {"open": "proposed", "closed": "rejected", "merged": "replaced"}
_SERVED = frozenset({"deployed", "rolling out"})


def marks(
    release: Release,
    versions: Sequence[ModelVersion],
    pulls: Mapping[str, Sequence[PullRequest]],
    refused: Collection[str] = (),
    registered: int | None = None,
) -> dict[str, Mapping[str, str]]:
    """Number of a version → the tags that it should have for one release; none, and it is absent.

    The status is proposed, withdrawn, refused or rejected before a version is merged, then rolling
    out, deployed, and replaced or rolled back.

    Args:
        release: as main has it.
        versions: those of its model, as they were observed, with the marks that they have.
        pulls: pull requests by branch; of those that are not open the late ones are enough.
        refused: the numbers of those that do not meet the conditions now.
        registered: when the deployed version was registered, where Git knows it.
    """
    known = _pulls_of(release, pulls)
    found: dict[str, Mapping[str, str]] = {}
    for version in versions:
        pull = next((pull for pull in known if concerns(pull.body, version)), None)
        status = (
            _serving(release, version, registered)
            or ("refused" if version.version in refused else "")
            or (_status_of(pull) if pull else _left(release.key, version))
        )
        told = dict(_told(release.key, status, pull))
        if told:
            found[version.version] = told
    return found


def _pulls_of(
    release: Release, pulls: Mapping[str, Sequence[PullRequest]]
) -> Sequence[PullRequest]:
    """The pull requests that speak of a release, newest first."""
    key = release.key
    own = pulls.get(branch_of(key), ())
    shared = (pull for branch in branches_at(key) for pull in pulls.get(branch, ()))
    theirs = (share_of(pull, str(key)) for pull in shared)
    return sorted((*own, *theirs), key=lambda pull: pull.number, reverse=True)


def _serving(release: Release, version: ModelVersion, registered: int | None) -> str:
    """What Git says of a version."""
    if version.version in release.spec.model.quarantine:
        return "rolled back"
    deployed = version.version == release.spec.model.version
    if deployed and registered in (None, version.created):
        return "rolling out" if release.rollout is not None else "deployed"
    return ""


def _status_of(pull: PullRequest) -> str:
    return _BY_STATE["merged" if "merged" in written_in(pull.body) else pull.state]


def _left(key: Key, version: ModelVersion) -> str:
    """What becomes of an earlier status that nothing speaks for any more."""
    before = version.marks.get(_name(key, "status"), "")
    if before in _SERVED:
        return "replaced"
    return "withdrawn" if before == "proposed" else before


def _told(key: Key, status: str, pull: PullRequest | None) -> Iterator[tuple[str, str]]:
    """The tags, the status last: who finds it finds the rest."""
    if pull and status:
        yield _name(key, "pull-request"), pull.url or f"#{pull.number}"
    if status:
        yield _name(key, "status"), status


def _name(key: Key, what: str) -> str:
    return f"{MARK}{key}/{what}"
