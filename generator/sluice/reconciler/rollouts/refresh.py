"""Ask Argo CD to look at Git at once, where a commit has moved a weight and it would be late."""

from dataclasses import replace

from sluice import git
from sluice.core.observation.argocd import application_name, routes_name
from sluice.core.observation.following import DELAY
from sluice.core.promotion.outcome import Outcome
from sluice.core.specs.resolve import Release
from sluice.reconciler.rollouts.observation import namespace_of
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.scene import Scene
from sluice.workspace.identity import MAIN

_MERGED = "merged: "


def refresh(
    scene: Scene, release: Release, observers: Observers, before: str, outcome: Outcome
) -> Outcome:
    """Ask for a refresh after a write that reached the base branch, and say what came of it.

    Args:
        scene: where it was written; nothing is asked in a dry run.
        release: what was written.
        observers: who can be asked.
        before: the head of the base branch before the write.
        outcome: what became of the write.
    """
    moved = git.tip(scene.repository, MAIN) != before or outcome.what.startswith(_MERGED)
    if scene.dry_run or not moved or namespace_of(release) is None:
        return outcome
    return replace(outcome, reasons=(*outcome.reasons, ask(release, observers)))


def ask(release: Release, observers: Observers) -> str:
    """Ask for a refresh of a release, its routes first; what came of it, in words."""
    namespace = namespace_of(release)
    if namespace is None:
        return ""
    names = (routes_name(release), application_name(release))
    for name in filter(None, names):
        refusal = observers.refresh(namespace, name)
        if refusal:
            return f"Argo CD was not asked to look at once ({refusal}): {DELAY}"
    return "Argo CD was asked to look at once"


def end(release: Release, observers: Observers, revision: str) -> str:
    """End the sync of the routes that hangs at a revision, where that is switched on."""
    namespace, name = namespace_of(release), routes_name(release)
    if not revision or namespace is None or name is None:
        return ""
    return observers.end(namespace, name, revision)
