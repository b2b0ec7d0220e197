"""A rollout moved by a person: the same commits, asked for from the command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import click

from sluice import git
from sluice.core.finding import FindingsError, UsageError
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.names import some
from sluice.core.outgoing import lines_of, one_line
from sluice.core.promotion.outcome import Outcome
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.model import Write
from sluice.core.specs.resolve import Release
from sluice.forges.local import LocalForge
from sluice.reconciler.rollouts.observation import observe
from sluice.reconciler.rollouts.observers import Observers, open_observers
from sluice.reconciler.rollouts.refresh import refresh
from sluice.reconciler.rollouts.scene import Base, Scene, by_person, read_base
from sluice.reconciler.rollouts.tick import read_case
from sluice.reconciler.rollouts.write import Case, apply
from sluice.workspace.connection import Place, connect, now, open_local_forge, read_person
from sluice.workspace.identity import AUTHOR
from sluice.workspace.revisions import read_workspace

ATTEMPTS = 5


@dataclass(frozen=True)
class Asked:
    """What a person wants of which release, and where."""

    release: str
    reason: str
    place: Place


def open_scene(place: Place) -> Scene:
    """The repository that counts, with the person at the keyboard as the one who acts."""
    root, repository = place.root, place.repository
    upstream, forge = connect(repository, place.forge, root, place.state, AUTHOR, needs_forge=False)
    upstream.refresh()
    clone = _open_work_tree(root or ".") if root or not repository else None
    who = read_person(clone or upstream.repository)
    if isinstance(forge, LocalForge):
        forge = open_local_forge(upstream.repository, who)
    scene = Scene(upstream.repository, upstream.move, forge, now, look=upstream.refresh)
    return by_person(scene, who)


def _open_work_tree(root: str) -> git.Repository | None:
    """The clone of the person at the keyboard, which knows their name best."""
    try:
        return git.open_repository(root)
    except UsageError:
        return None


def move_by_hand(verb: str, asked: Asked, *, ready: bool = False) -> int:
    """Do one of pause, resume, abort and promote."""

    def wanted(scene: Scene, case: Case, eyes: Observers) -> Write:
        seen = observe(case, eyes, None, scene.clock())
        seen = replace(seen, ready=True) if ready else seen
        return VERBS[verb](case.rollout, seen, scene.clock(), asked.reason or f"{verb} by hand")

    return tell(write_persistently(open_scene(asked.place), asked.release, wanted))


def write_persistently(
    scene: Scene, release: str, wanted: Callable[[Scene, Case, Observers], Write]
) -> Outcome:
    """Make a write; when somebody else was first, look again.

    Raises:
        UsageError: when there is no such rollout, or it cannot be.
    """
    for _ in range(ATTEMPTS):
        base = read_base(scene.repository)
        case = find_case(base, release)
        eyes = open_observers()
        write = wanted(scene, case, eyes)
        try:
            outcome = apply(scene, case, write, list_pulls(scene, case))
            return refresh(scene, case.release, eyes, base.commit, outcome)
        except git.RefMovedError:
            scene.look()
    raise UsageError(f"{release}: main keeps moving; try again")


def list_pulls(scene: Scene, case: Case) -> list[PullRequest]:
    """The pull requests of one rollout; none, with a warning, when the forge does not answer.

    What a person pushes at night must not wait for it.
    """
    try:
        return [pull for pull in scene.forge.list() if pull.branch == case.branch]
    except UsageError as error:
        click.echo(f"its pull requests are not known: {one_line(str(error))}", err=True)
        return []


def find_case(base: Base, release: str) -> Case:
    """The rollout that is under way of a release.

    Raises:
        UsageError: when there is none.
        FindingsError: when it cannot be read.
    """
    cases = [read_case(base, found, history) for found, history in base.under_way()]
    for key in base.unreadable():
        if fits(key, release):
            raise FindingsError(base.workspace.specs.findings)
    chosen = [case for case in cases if fits(case.release.key, release)]
    if len(chosen) > 1:
        listed = ", ".join(str(case.release.key) for case in chosen)
        raise UsageError(f"{release!r} is more than one rollout: {listed}")
    if not chosen:
        listed = some([str(case.release.key) for case in cases]) or "none"
        raise UsageError(f"no rollout of {release!r} is under way; under way: {listed}")
    return chosen[0]


def find_release(scene: Scene, commit: str, name: str) -> Release:
    """The release that is meant, whether or not it rolls out.

    Raises:
        UsageError: when there is none, or more than one.
    """
    specs = read_workspace(scene.repository, commit).specs
    found = [release for key, release in specs.releases.items() if fits(key, name)]
    if len(found) > 1:
        listed = ", ".join(sorted(str(release.key) for release in found))
        raise UsageError(f"{name!r} is more than one release: {listed}")
    if not found:
        raise UsageError(f"there is no release {name!r}")
    return found[0]


def fits(key: Key, name: str) -> bool:
    """Whether a release is meant by `name`, `environment/name` or `environment/team/name`."""
    wanted = tuple(name.strip("/").split("/"))
    return wanted in (tuple(key), (key.environment, key.name), (key.name,))


def tell(outcome: Outcome) -> int:
    """Say what became of it."""
    pull = f" (#{outcome.pull})" if outcome.pull else ""
    reasons = [f"    {reason}" for reason in outcome.reasons]
    click.echo(lines_of([f"{outcome.release}: {outcome.what}{pull}", *reasons]), nl=False)
    return 0
