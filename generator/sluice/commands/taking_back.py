"""A promotion that a person reverted puts its version in quarantine, in Git."""

from collections.abc import Iterator, Sequence

from sluice import git
from sluice.commands.world import AUTHOR, MAIN, Outcome, World
from sluice.core import layout
from sluice.core.finding import FindingsError
from sluice.core.layout import Key
from sluice.core.model import Commit, PullRequest
from sluice.core.promotion.message import concerns
from sluice.core.promotion.reverts import Said, quarantine_message, taken_back
from sluice.core.promotion.wants import Want
from sluice.core.specs.edit import append_text
from sluice.core.specs.load import load

_TRAILERS = ("Follows", "Rollout-State", "Quarantine")


def taken(world: World, base: str, want: Want, pulls: Sequence[PullRequest]) -> Outcome | None:
    """Write a version that was merged once and then reverted into the quarantine of its release.

    Raises:
        RefMovedError: when somebody was first; look again.
    """
    key, version = want.release.key, want.version.version
    if not any(pull.state == "merged" and concerns(pull.body, want.version) for pull in pulls):
        return None
    found = taken_back(_history(world.repository, base, key), version)
    if found is None:
        return None
    said = f"a person reverted its promotion in {found.commit[:12]}: it goes into quarantine"
    try:
        if not world.dry_run:
            _write(world, base, want, found)
    except git.PushRefusedError as error:
        advice = f"add {version!r} to spec.model.quarantine by a pull request"
        said = f"its promotion was reverted in {found.commit[:12]}, and {error}: {advice}"
        return Outcome(str(key), "held", version, 0, (said,), refused=True)
    what = "would quarantine" if world.dry_run else "quarantined"
    return Outcome(str(key), what, version, 0, (said,))


def _write(world: World, base: str, want: Want, found: Said) -> None:
    release, version = want.release, want.version.version
    raw = append_text(release.document.raw, ("spec", "model", "quarantine"), version)
    tree = git.write_tree(world.repository, base, {layout.release_path(release.key): raw})
    message = quarantine_message(release.key, version, found.version, found.commit)
    commit = git.commit(world.repository, tree, [base], message, AUTHOR, time=world.clock())
    world.upstream.move(MAIN, commit, base)


def _history(repository: git.Repository, base: str, key: Key) -> Iterator[Said]:
    path = layout.release_path(key)
    for commit in git.file_history(repository, base, path):
        raw = git.read_tree(repository, commit.id, [path]).files.get(path)
        yield _said(raw, commit, ours=_is_ours(repository, commit, key))


def _said(raw: bytes | None, commit: Commit, *, ours: bool) -> Said:
    try:
        model = load("release.yaml", raw).data["spec"]["model"] if raw is not None else {}
        quarantine = tuple(str(version) for version in model.get("quarantine", ()))
        return Said(commit.id, str(model.get("version", "")), quarantine, ours)
    except (FindingsError, KeyError, TypeError, AttributeError):
        return Said(commit.id, "", (), ours)


def _is_ours(repository: git.Repository, commit: Commit, key: Key) -> bool:
    """By its trailers, those of the branch that it merged, or the evidence that it brings.

    The last is for a merge that wrote its message anew.
    """
    merged = [git.commit_of(repository, parent) for parent in commit.parents[1:]]
    if any(name in each.trailers for each in (commit, *merged) for name in _TRAILERS):
        return True
    if not commit.parents:
        return False
    folder = f"{layout.ENVIRONMENTS}/{key}/evidence"
    before = git.list_tree(repository, commit.parents[0], [folder])
    return bool(git.list_tree(repository, commit.id, [folder]).keys() - before.keys())
