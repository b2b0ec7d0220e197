"""The page of threats names a test for each line that it calls proved, and the test is there."""

import re
import tomllib

import pytest

from sluice import __version__
from sluice.commands import init
from support import trees

PAGE = (trees.ROOT / "docs" / "threats.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")][2:]
PEOPLE = ["Registry editor", "ML engineer", "Pull request author", "Reviewer"]
OTHERS = ["Forge administrator", "Person on the network", "MLflow server", "Prometheus server"]


def names_of_tests() -> set[str]:
    files = (trees.ROOT / "tests").rglob("test_*.py")
    return {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}


def test_every_test_that_is_named_is_there() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - names_of_tests() == set()


@pytest.mark.parametrize("row", ROWS)
def test_a_line_is_proved_or_says_that_it_is_left(row: str) -> None:
    assert ("`test_" in row) != ("*left:*" in row)


@pytest.mark.parametrize("who", [*PEOPLE, *OTHERS, "Argo CD"])
def test_everybody_is_there(who: str) -> None:
    assert any(row.startswith(f"| {who} |") for row in ROWS)


def test_what_is_installed_has_an_upper_bound_and_a_workflow_its_version() -> None:
    project = tomllib.loads((trees.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    endless = [need for need in project["dependencies"] if "<" not in need]
    assert endless == ["tzdata>=2025.1"]  # its versions are years
    starter = trees.ROOT / "generator" / "sluice" / "starter" / ".github"
    lines = [line for p in starter.rglob("*.yaml") for line in p.read_text("utf-8").splitlines()]
    installed = [line.split("pip install ")[1] for line in lines if "run: pip install" in line]
    assert installed == [
        "--require-hashes --requirement .github/sluice-requirements.txt",
        "--no-deps --requirement .github/sluice.txt",
    ]
    assert init.read_starter()[".github/sluice.txt"] == f"sluice-gitops=={__version__}\n".encode()


def test_a_workflow_uses_what_others_publish_by_commit() -> None:
    written = init.read_starter()
    workflows = [
        raw or b"" for path, raw in written.items() if path.startswith(".github/workflows")
    ]
    used = re.findall(r"uses: (.*)", b"\n".join(workflows).decode())
    assert len(used) == 2
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+", action) for action in used)
