"""What a user installs: the wheel in an empty environment, the hooks in a scratch repository."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from shells.git_fixtures import CLEAN, run_git
from sluice.commands import init

REPOSITORY = Path(__file__).parents[2]
SPEC = "environments/production/platform/chat/release.yaml"
LOCK = REPOSITORY / "generator" / "requirements.txt"


@pytest.fixture(scope="module", autouse=True)
def _locked_versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let pip install the versions of the lock, except where the newest are what is tried."""
    with pytest.MonkeyPatch.context() as patch:
        if "SLUICE_TEST_NEWEST" not in os.environ:
            pinned = [line for line in LOCK.read_text().splitlines() if "==" in line]
            constraints = tmp_path_factory.mktemp("lock") / "constraints.txt"
            constraints.write_text("\n".join(line.rstrip(" \\") for line in pinned))
            patch.setenv("PIP_CONSTRAINT", str(constraints))
        yield


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 100), (LOCK.with_name("sbom.txt"), 20)])
def test_the_lock_has_a_hash_for_each_version(lock: Path, least: int) -> None:
    lines = lock.read_text().splitlines()
    pinned = [number for number, line in enumerate(lines) if "==" in line]
    assert len(pinned) > least
    assert all("--hash=sha256:" in lines[number + 1] for number in pinned)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that a release would publish."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(REPOSITORY)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_all_that_a_command_reads(wheel: Path) -> None:
    held = set(ZipFile(wheel).namelist())
    for needed in (
        "sluice/schemas/model-release.schema.json",
        "sluice/schemas/kubernetes/core.json",
        "sluice/templates/release/deployment.yaml.j2",
        "sluice/catalog/engines/vllm.yaml",
        "sluice/starter/.pre-commit-config.yaml",
        "sluice/starter/environments/production/environment.yaml",
    ):
        assert needed in held
    assert any(name.startswith("sluice/policies/") for name in held)
    assert any(name.startswith("sluice/policies/tests/") for name in held)
    assert "sluice/examples/SEM012/fail.yaml" in held
    assert "sluice/pages/board/page.html.j2" in held
    assert "sluice/pages/board/style.css" in held
    assert "sluice/catalog/rules/sem.yaml" in held
    others = {name for name in held if not name.startswith("sluice/policies/tests/")}
    assert not any("/tests/" in name or name.startswith("tests") for name in others)
    assert wheel.stat().st_size < 1_400_000


def test_the_wheel_works_in_an_empty_environment_elsewhere(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([binaries / "python", "-m", "pip", "install", *quiet, wheel], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for command in (
        ["init", "models"],
        ["render", "--root", "models"],
        ["check", "--root", "models"],
    ):
        done = subprocess.run(
            [binaries / "sluice", *command],
            cwd=elsewhere,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_work_with_the_framework(tmp_path: Path) -> None:
    hooks, scratch = tmp_path / "hooks", tmp_path / "scratch"
    run_git(tmp_path, "clone", "--quiet", str(REPOSITORY), str(hooks))
    init.write(scratch)
    run_git(scratch, "init", "--initial-branch=main")
    config = f"""
repos:
  - repo: {hooks}
    rev: {run_git(hooks, "rev-parse", "HEAD")}
    hooks:
      - id: sluice-validate
      - id: sluice-check
"""
    (scratch / ".pre-commit-config.yaml").write_text(config)
    run_git(scratch, "add", "--all")
    done = _pre_commit(scratch, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == 2
    spec = scratch / SPEC
    spec.write_text(spec.read_text().replace("prefixCaching", "prefixCashing"))
    run_git(scratch, "add", "--all")
    done = _pre_commit(scratch, tmp_path)
    assert done.returncode == 1
    assert "did you mean 'prefixCaching'?" in done.stdout


def _pre_commit(scratch: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=scratch,
        env={**os.environ, **CLEAN, "PRE_COMMIT_HOME": str(home / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
