"""The README is true: its commands run in order, its YAML is valid, its tables are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from prometheus_client import generate_latest

from sluice import cli
from sluice.core.analysis import judgement_file
from sluice.core.analysis.judgement import judge
from sluice.core.documents.load import load
from sluice.core.rollout import scenario
from sluice.core.rollout.simulation import simulate
from sluice.core.specs.schema import KINDS, Schemas
from sluice.reconciler.daemon.telemetry import Telemetry
from sluice.system import resources
from support.git_fixtures import CLEAN

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
JSON = [text for language, text in BLOCKS if language == "json"]
YAML = [text for language, text in BLOCKS if language == "yaml"]
COMMANDS = [
    line[2:]
    for language, text in BLOCKS
    if language == "console"
    for line in text.splitlines()
    if line.startswith("$ ")
]


def test_every_command_runs_in_order(tmp_path: Path) -> None:
    binaries = str(Path(sys.executable).parent)
    environ = {**os.environ, **CLEAN, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    (tmp_path / "models").mkdir()
    registry = next(text for text in YAML if "models:\n" in text)
    folder = tmp_path
    for command in COMMANDS:
        if command.startswith("pip "):
            continue
        if command.startswith("cd "):
            folder /= command[3:]
            (folder / "registry.yaml").write_text(registry)
            (folder / ".git" / "info").mkdir(parents=True)
            (folder / ".git" / "info" / "exclude").write_text("registry.yaml\n")
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("text", YAML)
def test_every_yaml_block_is_valid(text: str) -> None:
    data = yaml.safe_load(text)
    if data.get("kind") in KINDS:
        document = load("README.md", text.encode())
        assert not list(Schemas(resources.read_schema).findings(document, data["kind"]))
    elif data.get("kind") == "Scenario":
        assert list(
            simulate(scenario.read("x", text.encode(), resources.read_schema(scenario.SCHEMA)))
        )
    elif "groups" in data:
        _assert_alerts(data["groups"])
    elif "spec" in data:
        assert all(_fits(name, value) for name, value in data["spec"].items())
    else:
        assert set(data) <= {"models", "repos"}


def _assert_alerts(groups: list[dict[str, Any]]) -> None:
    """The alerts are about metrics that there are."""
    known = generate_latest(Telemetry().registry).decode()
    for rule in (rule for group in groups for rule in group["rules"]):
        (metric,) = re.findall(r"sluice_\w+", rule["expr"])
        assert f"# TYPE {metric} " in known


def _fits(name: str, value: object) -> bool:
    """Whether a part of a spec, of a release or else of an environment, has its right shape."""
    for kind in ("ModelRelease", "Environment"):
        bundled = Schemas(resources.read_schema).bundled(kind)
        parts = bundled["properties"]["spec"]["properties"]
        if name in parts:
            schema = {**parts[name], "$defs": bundled["$defs"]}
            return jsonschema_rs.Draft202012Validator(schema).is_valid(value)
    return False


@pytest.mark.parametrize("text", JSON)
def test_every_block_of_counts_can_be_judged(text: str) -> None:
    schema = resources.read_schema(judgement_file.SCHEMA)
    document = judgement_file.read("README.md", text.encode(), schema)
    assert judge(judgement_file.counts_of(document.data)).gates


def test_every_command_is_in_the_table() -> None:
    table = set(re.findall(r"^\| `sluice ([a-z]+)", README, re.MULTILINE))
    assert table == set(cli.cli.commands)


def test_the_folders_that_it_names_exist() -> None:
    section = README.partition("\n## What is where\n")[2].partition("\n## ")[0]
    folders = re.findall(r"`([\w/]+/)`", section)
    assert "generator/sluice/" in folders
    root = Path(__file__).parents[2]
    for folder in folders:
        assert any((top / folder).is_dir() for top in (root, root / "generator" / "sluice")), folder
