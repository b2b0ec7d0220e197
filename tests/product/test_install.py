"""What a user installs: the wheel in an empty environment, the hooks in a scratch repository."""

import hashlib
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sluice.commands import init
from support.git_fixtures import CLEAN, run_git

REPOSITORY = Path(__file__).parents[2]
SPEC = "environments/production/platform/chat/release.yaml"
LOCK = REPOSITORY / "generator" / "requirements.txt"
RUNTIME = REPOSITORY / "generator" / "sluice" / "starter" / ".github" / "sluice-requirements.txt"


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


@pytest.mark.parametrize(
    ("lock", "least"), [(LOCK, 100), (LOCK.with_name("sbom.txt"), 20), (RUNTIME, 50)]
)
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
        "sluice/starter/.github/sluice-requirements.txt",
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
    assert wheel.stat().st_size < 1_600_000


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


def _pins(lock: Path) -> dict[str, str]:
    """The entries of a lock by what they pin, a marker included, with their hashes."""
    blocks = re.split(r"\n(?=\S)", lock.read_text())
    return {block.partition(" \\")[0]: block.partition(" \\")[2].strip() for block in blocks}


def test_what_ci_installs_is_what_the_lock_has_for_sluice_itself() -> None:
    pins = _pins(RUNTIME)
    locked = _pins(LOCK)
    differing = [pin for pin, hashes in pins.items() if locked.get(pin) != hashes]
    assert differing == []
    versions = dict(pin.split(" ")[0].split("==") for pin in pins)
    assert set(versions) >= {canonicalize_name(name) for name in _runtime_needs()}
    tools = {"pytest", "ruff", "mypy", "hypothesis", "mlflow", "import-linter"}
    assert tools.isdisjoint(versions)


def _runtime_needs() -> set[str]:
    """The distributions that Sluice needs here, and those that these need."""
    left: list[tuple[str, frozenset[str]]] = [("sluice-gitops", frozenset())]
    needs: set[tuple[str, frozenset[str]]] = set()
    while left:
        distribution = left.pop()
        name, extras = distribution
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": e}) for e in extras or {""}):
                continue
            needed = (requirement.name, frozenset(requirement.extras))
            if needed not in needs:
                needs.add(needed)
                left.append(needed)
    return {name for name, _ in needs}


def test_the_lines_of_the_workflow_install_what_checks(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))  # for Sluice, which is not published
    venv.create(tmp_path / "venv", with_pip=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    models = tmp_path / "models"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    init.write(models, f"sha256:{digest}")
    workflow = yaml.safe_load((models / ".github" / "workflows" / "sluice.yaml").read_text())
    lines = [step.get("run", "") for step in workflow["jobs"]["check"]["steps"]]
    installing = [line for line in lines if line.startswith("pip install")]
    assert len(installing) == 2
    for line in (*installing, "pip check", "sluice check"):
        done = subprocess.run(
            ["bash", "-euc", line], cwd=models, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    pinned = models / ".github" / "sluice.txt"
    pinned.write_text(pinned.read_text().replace(digest, "0" * 64))
    command = ["bash", "-euc", f"{installing[1]} --force-reinstall"]
    done = subprocess.run(command, cwd=models, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


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
