"""The base revision of a cycle: read once, and then only where it changed."""

from sluice import git
from sluice.core.finding import FindingsError, UsageError
from sluice.core.pipeline import culprits
from sluice.core.plan.cost import tallies
from sluice.core.promotion.sound import Sound, sound
from sluice.core.unforeseen import UnforeseenError, isolated
from sluice.reconciler.promotions.snapshot import Base
from sluice.reconciler.runtime import Runtime, find_main
from sluice.workspace.revisions import Revision, read_workspace
from sluice.workspace.workspace import FOLDERS, Workspace


class BrokenBaseError(FindingsError):
    """What all releases have in common is broken in the base revision."""


def read_base(runtime: Runtime) -> Base:
    """The base revision as it is now, or was at the look for this cycle if that is the last one.

    Raises:
        BrokenBaseError: when it is broken.
    """
    if not runtime.memory.looked:
        runtime.look()
    runtime.memory.looked = False
    commit = find_main(runtime.repository)
    known: Base | None = runtime.memory.base
    if known and known.commit == commit:
        return known
    workspace = known and _move_workspace(runtime.repository, known, commit)
    workspace = workspace or read_workspace(runtime.repository, commit)
    base = Base(commit, workspace, _check_base(workspace))
    for specs in (workspace.specs, base.sound.specs):
        specs.settle()
    runtime.memory.base = base
    return base


def _check_base(workspace: Workspace) -> Sound:
    """What of the specs is in order, with its devices and costs counted."""
    catalog = workspace.tools.catalog
    try:
        found = sound(workspace.specs, workspace.check())
    except FindingsError as error:
        raise BrokenBaseError(error.findings) from None
    try:
        with isolated("the sums of all releases"):
            tallies(found.specs, catalog)
    except UnforeseenError:
        odd = culprits(found.specs, lambda one: tallies(one, catalog))
        if not odd:
            raise
        rest = found.specs.apart(found.specs.releases.keys() - odd)
        return Sound(rest, {**found.broken, **{str(k): (str(e),) for k, e in odd.items()}})
    return found


def _move_workspace(repository: git.Repository, known: Base, commit: str) -> Workspace | None:
    """The workspace of another commit by what has changed; None when that is not enough."""
    try:
        changed = {
            path
            for folder in FOLDERS
            for path in git.changed_paths(repository, known.commit, commit, folder)
        }
    except UsageError:  # the branch was rewritten, and its old commits were tidied away
        return None
    now = Revision(repository, commit).workspace(changed) if changed else Workspace({})
    return known.workspace.moved(changed, now)
