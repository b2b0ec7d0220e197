"""What a check of a repository goes by is what Git has, and what everybody will read."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shells.git_fixtures import run_git
from sluice.commands import check, init, validate
from sluice.core.finding import UsageError

CHAT = "environments/production/platform/chat"
RENDERED = "manifests/production/platform/chat"
ROLE_BINDING = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit, tagged `base`."""
    top = tmp_path_factory.mktemp("committed") / "models"
    init.write(top)
    run_git(top, "init", "--initial-branch=main")
    run_git(top, "add", "--all")
    run_git(top, "commit", "--message", "begin")
    run_git(top, "tag", "base")
    return top


@pytest.fixture
def tree(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "models", symlinks=True))


def commit(top: Path) -> None:
    run_git(top, "add", "--all")
    run_git(top, "commit", "--message", "change")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.fixture
def found(capsys: pytest.CaptureFixture[str]) -> Callable[[Path, str | None], set[tuple[str, str]]]:
    """Rule and file of every error that a check finds."""

    def run(top: Path, base: str | None = "base") -> set[tuple[str, str]]:
        code = check.run(
            base=base, root=str(top), form="json", registry=None, manifests=None, version="1.34"
        )
        said = json.loads(capsys.readouterr().out)["findings"]
        errors = {(f["rule"], f["file"]) for f in said if f["severity"] == "error"}
        assert code == bool(errors)
        return errors

    return run


Found = Callable[..., set[tuple[str, str]]]


def test_a_manifest_that_is_a_link_is_found_also_when_only_its_target_changes(
    tree: Path, found: Found
) -> None:
    write(tree / "docs" / "extra.yaml", "kind: ConfigMap\n")
    (tree / RENDERED / "extra.yaml").symlink_to("../../../../docs/extra.yaml")
    commit(tree)
    assert ("REF016", f"{RENDERED}/extra.yaml") in found(tree)
    run_git(tree, "tag", "--force", "base")
    write(tree / "docs" / "extra.yaml", ROLE_BINDING)
    commit(tree)
    assert found(tree) == {("REF016", f"{RENDERED}/extra.yaml")}


@pytest.mark.parametrize("base", ["base", None])
def test_links_are_found_wherever_they_stand(tree: Path, found: Found, base: str | None) -> None:
    paths = (
        "manifests/production/_environment/extra.yaml",
        "manifests/elsewhere",
        f"{RENDERED}/routes/more",
        "policies/extra.yaml",
        "policies/tests/more",
        "environments/production/more",
        f"{CHAT}/config.json",
        "catalog/gateways",
    )
    write(tree / "docs" / "extra.yaml", "kind: ConfigMap\n")
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(tree / "docs" / "extra.yaml")
    commit(tree)
    assert {file for _, file in found(tree, base)} == {*paths}


@pytest.mark.parametrize("symlinks", ["true", "false"])
def test_a_link_that_is_checked_out_as_a_file_is_still_a_link(
    tree: Path, found: Found, symlinks: str
) -> None:
    link = tree / "policies" / "extra.yaml"
    link.symlink_to("../docs/extra.yaml")
    commit(tree)
    run_git(tree, "config", "core.symlinks", symlinks)
    link.unlink()
    run_git(tree, "checkout", "policies")
    assert ("REF016", "policies/extra.yaml") in found(tree)


def test_another_repository_inside_is_found(tree: Path, found: Found) -> None:
    inner = tree / "manifests" / "production" / "inner"
    write(inner / "x.yaml", ROLE_BINDING)
    run_git(inner, "init")
    run_git(inner, "add", "--all")
    run_git(inner, "commit", "--message", "inner")
    commit(tree)
    assert ("REF016", "manifests/production/inner") in found(tree)


def test_a_pipe_is_found_and_nobody_waits_for_it(tree: Path, found: Found) -> None:
    paths = {f"{CHAT}/pipe", "policies/pipe.yaml"}
    for path in paths:
        os.mkfifo(tree / path)
    assert {file for _, file in found(tree, None)} == paths


def test_twins_and_names_that_cannot_be_shown_are_found(tree: Path, found: Found) -> None:
    write(tree / "policies" / "Pinned-images.yaml", "")
    write(tree / "policies" / "line\nbreak.yaml", "")
    commit(tree)
    wrong = {("GIT001", "policies/pinned-images.yaml"), ("GIT004", "policies/line\\nbreak.yaml")}
    assert found(tree) == wrong


def test_what_git_ignores_is_found(tree: Path, found: Found) -> None:
    run_git(tree, "rm", "--cached", f"{RENDERED}/service.yaml")
    write(tree / ".gitignore", "service.yaml\n")
    commit(tree)
    assert found(tree) == {("GIT002", f"{RENDERED}/service.yaml")}


def test_files_that_a_checkout_rewrites_are_found(tree: Path, found: Found) -> None:
    rewritten = {
        f"{RENDERED}/service.yaml": "filter=secrets",
        "manifests/production/_environment/namespace.yaml": "ident",
        "policies/pinned-images.yaml": "working-tree-encoding=UTF-16",
        f"{CHAT}/release.yaml": "eol=crlf",
    }
    lines = [f"{path} {attribute}\n" for path, attribute in rewritten.items()]
    write(tree / ".gitattributes", "".join(lines))
    run_git(tree, "add", ".gitattributes")
    run_git(tree, "commit", "--message", "attributes")
    assert found(tree) == {("GIT003", path) for path in rewritten}


def test_usual_attributes_are_no_finding(tree: Path, found: Found) -> None:
    lines = "* text=auto eol=lf\nmanifests/** linguist-generated=true -diff\n*.png filter=lfs\n"
    write(tree / ".gitattributes", lines)
    commit(tree)
    assert found(tree) == set()


def test_a_file_that_differs_from_what_git_takes_it_for_is_found(tree: Path, found: Found) -> None:
    path = tree / RENDERED / "service.yaml"
    spoiled = path.read_bytes().replace(b"\n", b"\r\n")
    wanted = path.read_bytes()
    path.write_bytes(spoiled)
    commit(tree)
    path.write_bytes(wanted)
    run_git(tree, "update-index", "--assume-unchanged", f"{RENDERED}/service.yaml")
    assert found(tree) == {("GIT003", f"{RENDERED}/service.yaml")}


def test_objects_that_git_replaces_end_the_check(tree: Path, found: Found) -> None:
    write(tree / "README.md", "other\n")
    commit(tree)
    run_git(tree, "replace", "HEAD", "base")
    with pytest.raises(UsageError, match="git replace --delete"):
        found(tree)


@pytest.mark.parametrize(
    "neighbour",
    ["environments/production/environment.yaml", "policies/waivers.yaml", f"{CHAT}/rollout.yaml"],
)
def test_validating_a_file_follows_no_link_of_its_neighbours(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], neighbour: str
) -> None:
    secret = tmp_path / "secret.yaml"
    write(secret, "password: hunter2\n")
    (tree / neighbour).unlink(missing_ok=True)
    (tree / neighbour).symlink_to(secret)
    code = validate.run(paths=(str(tree / CHAT / "release.yaml"),), root=str(tree), form="text")
    said = capsys.readouterr()
    assert code == 1
    assert "hunter2" not in said.out + said.err
    assert "REF016" in said.out
