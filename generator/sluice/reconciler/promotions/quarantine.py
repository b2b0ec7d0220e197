"""A promotion that a person took back puts its version in quarantine, in Git.

What was merged and what was taken back is read from Git: the forge may never have noticed a merge
by hand, or call a pull request closed whose branch somebody deleted.
"""

from collections.abc import Iterator, Sequence

from sluice import git
from sluice.core import layout
from sluice.core.finding import FindingsError, UsageError
from sluice.core.layout import Key
from sluice.core.model import Commit, PullRequest
from sluice.core.promotion.message import concerns, is_about
from sluice.core.promotion.reverts import Said, quarantine_message, taken_back, was_there
from sluice.core.promotion.wants import Want
from sluice.core.specs.edit import append_text
from sluice.core.specs.load import load
from sluice.reconciler.promotions.objections import let_wait
from sluice.reconciler.runtime import Outcome, World
from sluice.workspace.identity import AUTHOR, MAIN

# Seconds in which a forge may say of a merge what its repository does not show yet.
_PATIENCE = 300
_TRAILERS = ("Follows", "Rollout-State", "Quarantine")


def taken(world: World, base: str, want: Want, pulls: Sequence[PullRequest]) -> Outcome | None:
    """Write a version that was merged once and then taken back into the quarantine of its release.

    Raises:
        RefMovedError: when somebody was first; look again.
    """
    key, version = want.release.key, want.version.version
    about = [pull for pull in pulls if pull.state != "open" and _speaks_of(pull, want)]
    living = [pull for pull in pulls if pull.state == "open"]
    if not about and not living:
        return None
    reverted = taken_back(_history(world.repository, base, key), version)
    if reverted and (about or any(_is_before(world, pull, reverted.commit) for pull in living)):
        if not world.dry_run:
            let_wait(world, living)
        return _quarantined(world, base, want, f"reverted its promotion in {reverted.commit[:12]}")
    gone = next((pull for pull in about if _is_gone(world.repository, base, pull)), None)
    if gone is None or was_there(_history(world.repository, base, key), version):
        return None
    if abs(world.clock() - gone.updated) < _PATIENCE:
        said = f"main does not have yet what #{gone.number} merged: {gone.merged_as[:12]}"
        return Outcome(str(key), "waits for main", version, gone.number, (said,))
    _look_again(world, base)
    how = f"moved main back before {gone.merged_as[:12]}, by which #{gone.number} merged it"
    return _quarantined(world, base, want, how)


def _speaks_of(pull: PullRequest, want: Want) -> bool:
    """Whether a version is what a pull request proposed, or may be in spite of its words."""
    untied = pull.state == "merged" and not is_about(pull.body, pull.head)
    return untied or concerns(pull.body, want.version)


def _is_before(world: World, pull: PullRequest, commit: str) -> bool:
    """Whether a pull request is from before a commit of main.

    Somebody may have brought a part of it to main by hand, and that back, while it stayed open.
    """
    try:
        return not git.is_ancestor(world.repository, commit, pull.head)
    except UsageError:  # its head is not known here
        return False


def _is_gone(repository: git.Repository, base: str, pull: PullRequest) -> bool:
    """Whether main does not contain what the forge says was merged into it."""
    if pull.state != "merged" or pull.base != "main" or not pull.merged_as:
        return False
    try:
        return not git.is_ancestor(repository, pull.merged_as, base)
    except UsageError:  # not even the commit is known here
        return True


def _look_again(world: World, base: str) -> None:
    world.upstream.refresh()
    now = git.resolve(world.repository, MAIN)
    if now != base:
        raise git.RefMovedError(MAIN, base, now)


def _quarantined(world: World, base: str, want: Want, how: str) -> Outcome:
    key, version = str(want.release.key), want.version.version
    said = f"a person {how}: it goes into quarantine"
    try:
        if not world.dry_run:
            _write(world, base, want, how)
    except git.PushRefusedError as error:
        advice = f"add {version!r} to spec.model.quarantine by a pull request"
        said = f"a person {how}, and {error}: {advice}"
        return Outcome(key, "held", version, 0, (said,), refused=True)
    what = "would quarantine" if world.dry_run else "quarantined"
    return Outcome(key, what, version, 0, (said,))


def _write(world: World, base: str, want: Want, how: str) -> None:
    release, version = want.release, want.version.version
    raw = append_text(release.document.raw, ("spec", "model", "quarantine"), version)
    tree = git.write_tree(world.repository, base, {layout.release_path(release.key): raw})
    message = quarantine_message(release.key, version, release.spec.model.version, how)
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
