"""`sluice rollback`: back to the version before, in every state, with nothing but Git."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import click

from sluice import git
from sluice.core import layout
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.layout import Key
from sluice.core.markdown import fenced
from sluice.core.promotion.branches import branch_back, ref_of
from sluice.core.promotion.message import line
from sluice.core.promotion.notice import of_release
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.rollback import back_to, earlier
from sluice.core.promotion.rollout_change import after, rendered
from sluice.core.rollout.model import LEAVING, Observation, Write
from sluice.core.rollout.transitions import roll_back
from sluice.core.specs.resolve import Release
from sluice.core.workload.values import is_versioned
from sluice.reconciler.ownership import is_persons, left_alone
from sluice.reconciler.presentation import ask_for_review, show
from sluice.reconciler.rollouts.by_hand import (
    find_case,
    find_release,
    fits,
    list_pulls,
    open_scene,
    tell,
)
from sluice.reconciler.rollouts.observers import open_helpers
from sluice.reconciler.rollouts.refresh import refresh
from sluice.reconciler.rollouts.scene import Base, Scene, read_base
from sluice.reconciler.rollouts.write import Case, apply, without_time
from sluice.workspace.connection import Place
from sluice.workspace.identity import MAIN
from sluice.workspace.revisions import read_workspace

ATTEMPTS = 5
_EARLIER = 20
"""Versions of a file among which one is looked for that can be read."""
_ALL = (layout.ENVIRONMENTS,)


def run(*, release: str, to: str | None, reason: str, **where: str | None) -> int:
    """Take a version out of service, and put it in quarantine."""
    scene = open_scene(Place(**where))
    why = reason or "rollback by hand"
    for _ in range(ATTEMPTS):
        try:
            return tell(_go_back(scene, release, to or "", why))
        except git.RefMovedError:
            scene.look()
    raise UsageError(f"{release}: main keeps moving; try again")


def _go_back(scene: Scene, name: str, to: str, why: str) -> Outcome:
    base = read_base(scene.repository)
    _require_one(base, name)
    for key in [key for key in base.unreadable() if fits(key, name)]:
        base = _as_it_was(base, key)
    if any(fits(found.key, name) for found, _ in base.under_way()):
        return _abort_rollout(scene, find_case(base, name), to, why)
    for release, gone, history in base.lost():
        if fits(release.key, name):
            case = Case(base, release, gone.rollout, history, gone.stable)
            return _abort_rollout(scene, case, to, why)
    return _return_to_earlier(scene, base.commit, name, to, why)


def _require_one(base: Base, name: str) -> None:
    """Refuse a name of several releases, though only one of them may roll out now.

    Raises:
        UsageError: which ones.
    """
    found = {layout.release_of(path) for path in git.list_tree(base.repository, base.commit, _ALL)}
    named = sorted(str(key) for key in found if key and fits(key, name))
    if len(named) > 1:
        raise UsageError(f"{name!r} is more than one release: {', '.join(named)}")


def _as_it_was(base: Base, key: Key) -> Base:
    """The same commit with one file of a release as it was when all of them could be read.

    Raises:
        FindingsError: when that helps nothing.
    """
    paths = (
        layout.rollout_path(key),
        layout.release_path(key),
        layout.environment_path(key.environment),
    )
    for path in paths:
        for commit in islice(git.file_history(base.repository, base.commit, path), _EARLIER):
            content = git.read_tree(base.repository, commit.id, [path]).files.get(path)
            if content is None:
                break
            older = replace(base, instead={path: content})
            if key in older.workspace.specs.releases:
                said = f"{path} cannot be read: it counts as it was in {commit.id[:10]}"
                click.echo(said, err=True)
                return older
    raise FindingsError(base.workspace.specs.findings)


def _abort_rollout(scene: Scene, case: Case, to: str, why: str) -> Outcome:
    """All requests to the stable version, from whatever state; a second call changes nothing."""
    rollout = case.rollout
    if rollout.returning and rollout.state not in LEAVING and to in ("", rollout.candidate):
        said = f"version {rollout.stable} is taken out of service already"
        return _report_nothing(case.release, rollout.candidate, f"is {rollout.state} already", said)
    if to not in ("", rollout.stable):
        said = f"version {rollout.stable} is the stable one: roll back to it first, without --to"
        if rollout.returning:
            said = f"version {rollout.candidate} returns, and must be stable first"
        raise UsageError(f"a rollout of {case.release.key} is under way; {said}")
    known = rollout.candidate in case.release.spec.model.quarantine
    if rollout.state in LEAVING and rollout.weight == 0 and known:
        said = f"Git gives version {rollout.candidate} no request"
        said += "; `sluice rollout status` says whether the cluster follows"
        return _report_nothing(case.release, rollout.candidate, f"is {rollout.state} already", said)
    write = roll_back(rollout, Observation(), scene.clock(), why).write
    if rollout.state in LEAVING:
        write = Write("lower", replace(rollout, weight=0), why)
    if write is None:
        raise UsageError(f"{case.release.key} cannot be rolled back")
    write = replace(write, quarantine=rollout.candidate)
    outcome = apply(scene, case, write, list_pulls(scene, case))
    return refresh(scene, case.release, open_helpers(), case.base.commit, outcome)


def _report_nothing(release: Release, version: str, what: str, *reasons: str) -> Outcome:
    return Outcome(str(release.key), what, version, 0, reasons)


def _return_to_earlier(scene: Scene, commit: str, name: str, to: str, why: str) -> Outcome:
    """An earlier spec from history, where no rollout is under way."""
    release = find_release(scene, commit, name)
    path = layout.release_path(release.key)
    came_back = "" if to else _find_return(scene, release)
    if came_back:
        return _report_nothing(
            release, release.spec.model.version, "is rolled back already", came_back
        )
    contents = (
        git.read_tree(scene.repository, past.id, [path]).files.get(path)
        for past in git.file_history(scene.repository, MAIN, path)
    )
    changes, begun = back_to(release, earlier(release, contents, to), why)
    workspace = read_workspace(scene.repository, commit)
    specs, findings = after(release, changes, workspace.specs, workspace.files, workspace.tools)
    if not failed(findings):
        paths = layout.rendered_paths(release.key)
        committed = dict(git.read_tree(scene.repository, commit, paths).files)
        more, findings = rendered(release, specs, committed, workspace.tools)
        changes |= more
    if failed(findings):
        raise UsageError(f"{release.key}: {findings[0].place}: {findings[0].message}")
    message = _make_message(release, begun.candidate, why, scene.actor)
    made = scene.pen.commit(commit, [(changes, message)])
    try:
        scene.pen.move(MAIN, made, commit)
    except git.PushRefusedError as error:
        return _propose(scene, release, made, message, f"{error}: it takes a merge")
    outcome = Outcome(str(release.key), message.splitlines()[0], begun.candidate, 0, (why,))
    return refresh(scene, release, open_helpers(), commit, outcome)


def _find_return(scene: Scene, release: Release) -> str:
    """How this version came back, if that is the last thing that happened to the release."""
    history = git.file_history(scene.repository, MAIN, layout.release_path(release.key))
    newest = next(history, None)
    if newest is None:
        return ""
    merged = [git.commit_of(scene.repository, parent) for parent in newest.parents[1:]]
    bad = next(
        (c.trailers["Quarantine"] for c in (newest, *merged) if "Quarantine" in c.trailers), ""
    )
    if not bad or bad == release.spec.model.version:
        return ""
    return f"version {bad} was taken back in {newest.id[:12]}; --to names one further back"


def _propose(scene: Scene, release: Release, commit: str, message: str, refused: str) -> Outcome:
    """A pull request instead of the push, merged at once if the forge allows it."""
    branch = branch_back(release.key)
    ref, (title, _, body) = ref_of(branch), message.partition("\n\n")
    commit = _bring_branch(scene, ref, commit)
    base = git.commit_of(scene.repository, commit).parents[0]
    reason = body.partition("\n")[0]
    notice = of_release(release, branch, title, fenced(body), "rollback", reason, asks=False)
    pull, problems = show(scene, base, notice, commit)
    try:
        scene.pen.merge(pull.number, commit)
    except UsageError as error:
        problems = (*problems, *ask_for_review(scene, base, notice, pull))
        said = (refused, f"merge it for the rollback to begin: {error}", *problems)
        return Outcome(str(release.key), f"proposed: {title}", "", pull.number, said)
    return Outcome(str(release.key), f"merged: {title}", "", pull.number, (refused,))


def _bring_branch(scene: Scene, ref: str, commit: str) -> str:
    """Bring the branch of a rollback to it; return where it is, for it may say that already.

    Raises:
        UsageError: somebody else has committed to it.
    """
    repository, head = scene.repository, git.tip(scene.repository, ref)
    if head is not None and not git.is_ancestor(repository, head, MAIN):
        if is_persons(repository, head):
            raise left_alone(ref.removeprefix("refs/heads/"))
        if _read_changes(repository, head) == _read_changes(repository, commit):
            return head  # its checks and reviews go on
    scene.pen.move(ref, commit, head)
    return commit


def _read_changes(repository: git.Repository, commit: str) -> Mapping[str, bytes | None]:
    """What a commit makes of the files that it changes, but for the time of a state."""
    parent = git.commit_of(repository, commit).parents[0]
    paths = git.changed_paths(repository, parent, commit)
    files = git.read_tree(repository, commit, paths).files
    return {path: without_time(files.get(path)) for path in paths}


def _make_message(release: Release, version: str, why: str, actor: str) -> str:
    key, before = release.key, release.spec.model.version
    begins = is_versioned(release.variants[-1])
    word = "begins to return" if begins else "returns"
    lines = [
        f"{key.environment}/{key.name}: version {line(version)} {word}",
        "",
        line(why),
        "",
        f"Release: {key}",
        f"Model-Version: {line(version)}",
        f"Previous-Version: {line(before)}",
        f"Quarantine: {line(before)}",
        *(["Rollout-State: WARMING"] if begins else []),
        f"Actor: {line(actor)}",
        "",
    ]
    return "\n".join(lines)
