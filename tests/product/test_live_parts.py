"""`make test-live` without its servers: it says what is missing, and does not succeed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


def _run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=TOP,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_servers_each_part_is_skipped_by_name_and_nothing_succeeds(tmp_path: Path) -> None:
    tests = ("-q", "-p", "no:cacheprovider", "tests/live")
    done = _run(sys.executable, "-m", "pytest", *tests, SLUICE_LIVE_CACHE=str(tmp_path))
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
    for part in ("Kubernetes", "Gitea"):
        assert f"{part} 1." in done.stdout
    for way in ("tests/live/build.sh kubernetes", "tests/live/build.sh gitea"):
        assert way in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_go_the_build_says_where_it_is(tmp_path: Path) -> None:
    for program in ("bash", "dirname", "realpath"):
        found = next(p for p in (Path("/usr/bin") / program, Path("/bin") / program) if p.exists())
        (tmp_path / program).symlink_to(found)
    script = str(TOP / "tests" / "live" / "build.sh")
    done = _run("bash", script, PATH=str(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert "go (Go: https://go.dev/dl/)" in done.stdout


def test_a_part_that_there_is_not_is_named() -> None:
    done = _run("bash", str(TOP / "tests" / "live" / "build.sh"), "argo")
    assert done.returncode == 2
    assert "there is no part argo; there are: kubernetes" in done.stdout


def test_the_ordinary_tests_leave_it_out(pytestconfig: pytest.Config) -> None:
    assert "tests/live" in pytestconfig.getini("norecursedirs")
