"""The verbs of rollouts on a stage, and what must hold after each."""

import pytest

from sluice import git
from sluice.cli import main
from sluice.reconciler.rollouts import by_hand
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN
from support.loop import KEY
from support.stage import Stage


def assert_rendered(stage: Stage) -> None:
    """What main says in environments/ is what its manifests/ are."""
    workspace = read_workspace(stage.loop.repository, MAIN)
    rendered = {path: m.content() for path, m in workspace.render().items()}
    there = git.read_tree(stage.loop.repository, MAIN, [f"manifests/{KEY}"]).files
    assert there == {p: c for p, c in rendered.items() if p.startswith(f"manifests/{KEY}/")}


NAME = "production/chat"


def sluice(stage: Stage, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_hand, "now", lambda: stage.now)
        return main([*arguments, "--repository", str(stage.loop.bare)])
