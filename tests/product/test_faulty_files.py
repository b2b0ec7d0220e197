"""A file that is not what it should be is a finding or one line: for every verb and every file.

The verbs are those that the command line has. Of the many combinations a part runs each time, all
of them in the slow run.
"""

import os
import random
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import yaml

from sluice.cli import main
from sluice.commands import init
from sluice.core.reports.status import Outside, status
from support import trees
from support.git_fixtures import run_git
from support.verb_calls import CASE, KEY, MANIFEST, REGISTRY, arguments, verbs

RELEASE = f"environments/{KEY}/release.yaml"
ROLLOUT = f"environments/{KEY}/rollout.yaml"
ENVIRONMENT = "environments/production/environment.yaml"
WAIVERS = "policies/waivers.yaml"
REGISTERED = """models:
  qwen2.5-7b-instruct:
    versions:
      - {version: 2, source: "pvc://model-pvc/qwen2.5-7b-instruct-awq/2", stage: Production}
"""
WRITTEN = {WAIVERS: "waivers: []\n", REGISTRY: REGISTERED, CASE: "{}\n", "CODEOWNERS": "* @team\n"}
FILES = [
    *(RELEASE, ROLLOUT, ENVIRONMENT, *WRITTEN, "policies/own.yaml", "policies/tests/own.yaml"),
    *(
        "catalog/accelerators/own.yaml",
        "catalog/engines/own.yaml",
        f"environments/{KEY}/config.json",
    ),
    *(f"environments/{KEY}/evidence/v1.json", MANIFEST),
    *("manifests/production/_environment/namespace.yaml", "schemas/model-release.schema.json"),
]


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "inner.yaml").write_text("a: b\n")


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(errors="surrogateescape"))


HEAD = "apiVersion: sluice.dev/v1alpha1\nkind: ModelRelease\nmetadata: {name: chat}\n"
FAULTS: dict[str, Callable[[Path], object]] = {
    "a folder": a_folder,
    "empty": text(""),
    "blank": text(" \n\n"),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "nested": text("[" * 10_000),
    "nested well": text("[" * 10_000 + "]" * 10_000),
    "nested mappings": text('{"a":' * 10_000 + "1" + "}" * 10_000),
    "nested blocks": text("".join(f"{' ' * n}a:\n" for n in range(700))),
    "nested in place": text(f"{HEAD}spec: {'[' * 10_000}{']' * 10_000}\n"),
    "long numbers": text(f"{HEAD}spec: {{model: {{version: {'9' * 300}}}}}\nx: {'9' * 5000}\n"),
    "long numbers of JSON": text(f'{{"format": {"9" * 5000}, "gates": [{"9" * 300}]}}'),
    "a tab": text("a:\n\tb: c\n"),
    "a mark of order": text("\ufeffa: b\n"),
    "carriage returns": text("a: b\r\nc: d\r\n"),
    "a zero": text("a: b\0c\n"),
    "no UTF-8": text("a: \udcff\udcfe\n"),
    "binary in YAML": text("waivers: !!binary aGVsbG8=\nmodels: !!binary aGVsbG8=\n"),
    "a tag of others": text("models: !!python/object:os.system {}\n"),
    "aliases": text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
    "a list": text("- a\n- b\n"),
    "a scalar": text("hello\n"),
    "a date": text("waivers: 2026-01-01\nmodels: {m: {versions: [2026-01-01]}}\n"),
    "two documents": text("a: b\n---\nc: d\n"),
    "keys of all kinds": text("1: a\nnull: b\n[x]: c\n2026-01-01: d\n"),
    "only a kind": text("apiVersion: sluice.dev/v1alpha1\nkind: ModelRelease\n"),
    "nothing in it": text(f"{HEAD}spec: {{}}\n"),
    "null": text("null\n"),
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("template") / "models"
    init.write(top)
    shutil.rmtree(top / "policies")  # to read them takes long, and tests of their own break them
    (top / "policies").mkdir()
    for path, content in WRITTEN.items():
        (top / path).write_text(content)
    run_git(top, "init", "--quiet", "--initial-branch=main")
    run_git(top, "add", "--all")
    run_git(top, "commit", "--quiet", "--message", "begin")
    return top


COMBINATIONS = list(product(FILES, FAULTS))
QUICK = ["validate", "render", "explain", "inspect", "status", "board", "history", "judge"]
SAMPLE = random.Random(4).sample(  # noqa: S311  # a choice
    [each for each in product(QUICK, COMBINATIONS) if each[1] != (CASE, "a pipe")], 12
)


def try_verb(verb: str, capfd: pytest.CaptureFixture[str]) -> str:
    code = main(arguments(verb))
    said = capfd.readouterr()
    assert code in (0, 1, 2), said.err[-3000:]
    assert "Traceback" not in said.err
    assert code == 0 or (said.out + said.err).strip()
    return said.out + said.err


@pytest.mark.slow
@pytest.mark.parametrize(("file", "fault"), COMBINATIONS)
def test_no_verb_falls_over_a_file(
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    file: str,
    fault: str,
) -> None:
    monkeypatch.chdir(spoilt(template, tmp_path, file, fault))
    for verb in verbs():
        if fault != "a pipe" or file not in arguments(verb):  # as `sluice judge <(...)` it waits
            try_verb(verb, capfd)


KNOWN = [
    ("validate", ROLLOUT, "a folder", f"{ROLLOUT}:1:1: error[REF015]"),
    ("validate", ROLLOUT, "a pipe", f"{ROLLOUT}:1:1: error[REF016]"),
    ("validate", RELEASE, "nested in place", f"{RELEASE}:4:"),
    ("validate", WAIVERS, "binary in YAML", f"{WAIVERS}:1:"),
    ("reconcile", REGISTRY, "nested in place", "nested too deep"),
    ("reconcile", REGISTRY, "a pipe", "it is a pipe"),
    ("policy test", "policies/tests/own.yaml", "a pipe", "no regular file"),
    ("evals import", CASE, "nested well", "not a result file"),
    ("status", RELEASE, "nothing in it", "cannot be read"),
]


@pytest.mark.parametrize(("verb", "file", "fault", "told"), KNOWN)
def test_what_is_wrong_is_said_with_its_place(
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    verb: str,
    file: str,
    fault: str,
    told: str,
) -> None:
    monkeypatch.chdir(spoilt(template, tmp_path, file, fault))
    assert told in try_verb(verb, capfd)


@pytest.mark.parametrize(("verb", "spoilt_by"), SAMPLE)
def test_a_verb_does_not_fall_over_a_file(
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    verb: str,
    spoilt_by: tuple[str, str],
) -> None:
    monkeypatch.chdir(spoilt(template, tmp_path, *spoilt_by))
    try_verb(verb, capfd)


def test_the_quick_verbs_are_some_of_all() -> None:
    assert set(QUICK) <= set(verbs())


@pytest.mark.parametrize(
    "lacking", ["model.name", "model.source", "engine.name", "accelerator.name"]
)
def test_a_release_that_lacks_something_is_listed_as_broken(lacking: str) -> None:
    files = trees.base()
    group, name = lacking.split(".")
    release = yaml.safe_load(files[trees.RELEASE])
    release["spec"].get(group, {}).pop(name, None)
    files[trees.RELEASE] = yaml.safe_dump(release).encode()
    workspace = trees.workspace_of(files)
    found = status(workspace.specs, workspace.tools.catalog, files, Outside())
    assert found["releases"] == []
    assert [lacking in each["reason"] for each in found["broken"]] == [True]


def spoilt(template: Path, folder: Path, file: str, fault: str) -> Path:
    """A copy with one file that is not what it should be, committed if Git can."""
    top = folder / "models"
    shutil.copytree(template, top, symlinks=True)
    (top / file).parent.mkdir(parents=True, exist_ok=True)
    (top / file).unlink(missing_ok=True)
    FAULTS[fault](top / file)
    if not (top / file).is_fifo():  # Git has no pipes
        run_git(top, "add", "--all")
        run_git(top, "commit", "--quiet", "--allow-empty", "--message", "spoilt")
    run_git(top, "clone", "--quiet", "--bare", ".", str(folder / "b.git"))
    run_git(top, "remote", "add", "origin", "../b.git")
    return top
