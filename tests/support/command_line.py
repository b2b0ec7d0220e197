"""The program as its own process, on a fresh repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.commands import init
from support.git_fixtures import CLEAN, run_git


def sluice(
    *arguments: str | Path, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as its own process."""
    return subprocess.run(
        [sys.executable, "-m", "sluice", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **CLEAN, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A fresh GitOps repository with one commit."""
    top = tmp_path / "models"
    init.write(top)
    run_git(top, "init", "--initial-branch=main")
    run_git(top, "add", "--all")
    run_git(top, "commit", "--message", "begin")
    return top


def change(top: Path, path: str, old: str, new: str) -> None:
    file = top / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
