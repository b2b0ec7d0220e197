"""`sluice rollback`: back to the version before, in every state, with nothing but Git."""

from dataclasses import replace

from sluice import git
from sluice.commands.cycle import MAIN, Outcome
from sluice.commands.revisions import workspace_of
from sluice.commands.rollout_base import Scene, base_of
from sluice.commands.rollout_by_hand import (
    find_case,
    find_release,
    fits,
    of_branch,
    scene_of,
    told,
)
from sluice.commands.rollout_write import Case, apply
from sluice.core import layout
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.progress.change import after, rendered
from sluice.core.progress.ways_back import back_to, earlier
from sluice.core.promotion.message import line
from sluice.core.rollout.model import LEAVING, Observation, Write
from sluice.core.rollout.moves import roll_back
from sluice.core.specs.resolve import Release
from sluice.core.workload.values import is_versioned

ATTEMPTS = 5


def run(
    *, release: str, to: str | None, reason: str, repository: str | None, root: str | None
) -> int:
    """Take a version out of service, and put it in quarantine."""
    scene = scene_of(repository, root)
    why = reason or "rollback by hand"
    for _ in range(ATTEMPTS):
        try:
            return told(_back(scene, release, to or "", why))
        except git.RefMovedError:
            scene.look()
    raise UsageError(f"{release}: main keeps moving; try again")


def _back(scene: Scene, name: str, to: str, why: str) -> Outcome:
    base = base_of(scene.repository)
    if any(fits(found.key, name) for found, _ in base.under_way()):
        return _under_way(scene, find_case(base, name), to, why)
    if any(fits(key, name) for key in base.unreadable()):
        raise FindingsError(base.workspace.specs.findings)
    for release, gone, history in base.lost():
        if fits(release.key, name):
            case = Case(base, release, gone.rollout, history, gone.stable)
            return _under_way(scene, case, to, why)
    return _settled(scene, base.commit, name, to, why)


def _under_way(scene: Scene, case: Case, to: str, why: str) -> Outcome:
    """All requests to the stable version, from whatever state; a second call changes nothing."""
    rollout = case.rollout
    if to not in ("", rollout.stable):
        said = f"version {rollout.stable} is the stable one: roll back to it first, without --to"
        raise UsageError(f"a rollout of {case.release.key} is under way; {said}")
    known = rollout.candidate in case.release.value("model.quarantine", ())
    if rollout.state in LEAVING and rollout.weight == 0 and known:
        return Outcome(str(case.release.key), f"is {rollout.state} already", rollout.candidate)
    write = roll_back(rollout, Observation(), scene.clock(), why).write
    if rollout.state in LEAVING:
        write = Write("lower", replace(rollout, weight=0), why)
    if write is None:
        raise UsageError(f"{case.release.key} cannot be rolled back")
    write = replace(write, quarantine=rollout.candidate)
    return apply(scene, case, write, of_branch(scene, case))


def _settled(scene: Scene, commit: str, name: str, to: str, why: str) -> Outcome:
    """An earlier spec from history, where no rollout is under way."""
    release = find_release(scene, commit, name)
    path = layout.release_path(release.key)
    contents = (
        git.read_tree(scene.repository, past.id, [path]).files.get(path)
        for past in git.file_history(scene.repository, MAIN, path)
    )
    changes, begun = back_to(release, earlier(release, contents, to), why)
    workspace = workspace_of(scene.repository, commit)
    specs, findings = after(release, changes, workspace.specs, workspace.files, workspace.tools)
    if not failed(findings):
        folder = [layout.release_directory(release.key)]
        committed = dict(git.read_tree(scene.repository, commit, folder).files)
        more, findings = rendered(release, specs, committed, workspace.tools)
        changes |= more
    if failed(findings):
        raise UsageError(f"{release.key}: {findings[0].place}: {findings[0].message}")
    tree = git.write_tree(scene.repository, commit, changes)
    message = _message(release, begun.candidate, why, scene.actor)
    made = git.commit(scene.repository, tree, [commit], message, scene.author, time=scene.clock())
    scene.move(MAIN, made, commit)
    return Outcome(str(release.key), message.splitlines()[0], begun.candidate, 0, (why,))


def _message(release: Release, version: str, why: str, actor: str) -> str:
    key, before = release.key, release.value("model.version")
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
