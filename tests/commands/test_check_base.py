"""A change is judged by what Git has of it, which everybody will read, and by its base's rules."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice import cli
from sluice.commands import check, init, plan, render, validate
from sluice.core.finding import UsageError
from sluice.system import resources
from support.git_fixtures import run_git

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

    def run(top: Path, base: str | None = "base", severity: str = "error") -> set[tuple[str, str]]:
        code = check.run(
            base=base, root=str(top), form="json", registry=None, manifests=None, version="1.34"
        )
        said = json.loads(capsys.readouterr().out)["findings"]
        errors = [f for f in said if f["severity"] == "error" and not f.get("waived")]
        assert code == bool(errors)
        wanted = errors if severity == "error" else [f for f in said if f["severity"] == severity]
        return {(f["rule"], f["file"]) for f in wanted}

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


def test_ends_of_lines_are_no_difference(tree: Path, found: Found) -> None:
    run_git(tree, "config", "core.autocrlf", "true")
    shutil.rmtree(tree / "manifests")
    run_git(tree, "checkout", "manifests")
    assert b"\r\n" in (tree / RENDERED / "service.yaml").read_bytes()
    assert found(tree, None) == set()
    write(tree / ".gitattributes", "* text=auto eol=crlf\n")
    commit(tree)
    assert found(tree, None) == set()
    assert render.run(check=True, root=str(tree), form="text") == 0


def test_what_is_not_rendered_yet_is_told_once(tree: Path, found: Found) -> None:
    spec = tree / CHAT / "release.yaml"
    spec.write_text(spec.read_text().replace("max: 4", "max: 3"))
    stale = found(tree, None)
    assert {rule for rule, _ in stale} == {"RND001"}


def test_what_editors_and_file_managers_leave_is_no_finding(tree: Path, found: Found) -> None:
    write(tree / ".gitignore", ".*.swp\n.DS_Store\n.idea/\n")
    names = (f"{CHAT}/.release.yaml.swp", "environments/.DS_Store", "manifests/.DS_Store")
    for path in (*names, "policies/.DS_Store", "policies/.idea/x.xml", f"{CHAT}/release.yaml~"):
        write(tree / path, "left\n")
    assert found(tree, None) == set()
    assert render.run(check=False, root=str(tree), form="text") == 0
    assert (tree / "manifests/.DS_Store").exists()
    write(tree / ".gitattributes", "*.png filter=lfs\n")
    write(tree / "policies/docs/picture.png", "version https://git-lfs.github.com/spec/v1\n")
    commit(tree)
    assert found(tree, None) == set()


def test_a_file_that_differs_from_what_git_takes_it_for_is_found(tree: Path, found: Found) -> None:
    path = tree / RENDERED / "service.yaml"
    spoiled = path.read_bytes().replace(b"ClusterIP", b"NodePort")
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


IMAGE = """\
  engine:
    image: registry.example.com/engine:nightly-1
"""
PINNED = ("POL010/sluice-pinned-images", f"{CHAT}/release.yaml")
WAIVER = """\
apiVersion: sluice.dev/v1alpha1
kind: Waivers
waivers:
  - rule: POL010/sluice-pinned-images
    release: production/platform/chat
    owner: platform
    reason: until the next image is built
    expires: "2099-12-31"
"""


def float_image(top: Path) -> None:
    """Let the engine's image float, which a policy forbids."""
    spec = top / CHAT / "release.yaml"
    spec.write_text(spec.read_text("utf-8").replace("spec:\n", f"spec:\n{IMAGE}", 1), "utf-8")
    assert render.run(check=False, root=str(top), form="text") == 0


def drop_policy(top: Path) -> None:
    (top / "policies" / "pinned-images.yaml").unlink()
    (top / "policies" / "tests" / "pinned-images.yaml").unlink()


def weaken_binding(top: Path) -> None:
    policy = top / "policies" / "pinned-images.yaml"
    policy.write_text(policy.read_text("utf-8").replace("[Deny]", "[Audit]"), "utf-8")


def waive_it(top: Path) -> None:
    write(top / "policies" / "waivers.yaml", WAIVER)


@pytest.mark.parametrize("weaken", [drop_policy, weaken_binding, waive_it])
def test_a_change_does_not_pass_by_weakening_its_own_judge(
    tree: Path, found: Found, weaken: Callable[[Path], None]
) -> None:
    weaken(tree)
    assert found(tree) == set()
    loosened = {rule for rule, _ in found(tree, severity="warning")}
    assert "RUL001" in loosened
    float_image(tree)
    commit(tree)
    assert found(tree) == {PINNED}
    # What has been approved before may be used.
    assert found(tree, "HEAD") == set()


def test_a_waiver_of_before_still_counts(tree: Path, found: Found) -> None:
    waive_it(tree)
    commit(tree)
    run_git(tree, "tag", "--force", "base")
    float_image(tree)
    commit(tree)
    assert found(tree) == set()


def test_a_new_policy_may_come_with_waivers_of_what_was_there(tree: Path, found: Found) -> None:
    drop_policy(tree)
    float_image(tree)
    commit(tree)
    run_git(tree, "tag", "--force", "base")
    run_git(tree, "checkout", "base~1", "--", "policies")
    waive_it(tree)
    commit(tree)
    assert found(tree) == set()


@pytest.mark.parametrize(
    "path",
    [
        ".github/CODEOWNERS",
        "docs/CODEOWNERS",
        ".gitea/CODEOWNERS",
        ".github/workflows/sluice.yaml",
        ".github/workflows/more.yaml",
        ".github/sluice.txt",
        ".github/sluice-requirements.txt",
        ".pre-commit-config.yaml",
        "catalog/accelerators/nvidia-l40s.yaml",
    ],
)
def test_who_looks_at_a_change_and_what_checks_it_are_rules(
    tree: Path, found: Found, path: str
) -> None:
    shipped = Path(resources.__file__).parent / path
    write(tree / path, shipped.read_text("utf-8") if shipped.exists() else "# another\n")
    commit(tree)
    assert ("RUL001", path) in found(tree, severity="warning")


def test_a_new_environment_reaches_where_nothing_did(tree: Path, found: Found) -> None:
    text = (tree / "environments" / "production" / "environment.yaml").read_text("utf-8")
    text = text.replace("name: production", "name: other", 1)
    write(tree / "environments/other/environment.yaml", text.replace("kubernetes.default.svc", "b"))
    assert render.run(check=False, root=str(tree), form="text") == 0
    commit(tree)
    assert ("RUL001", "environments/other/environment.yaml") in found(tree, severity="warning")


def test_evidence_is_only_ever_added(tree: Path, found: Found) -> None:
    first, second = f"{CHAT}/evidence/v1.json", f"{CHAT}/evidence/v2.json"
    write(tree / first, '{"created": 1}')
    commit(tree)
    assert found(tree, severity="warning") == set()
    run_git(tree, "tag", "--force", "base")
    write(tree / first, '{"created": 2}')
    write(tree / second, "{}")
    commit(tree)
    assert found(tree, severity="warning") == {("RUL003", first)}
    (tree / first).unlink()
    commit(tree)
    assert found(tree, severity="warning") == {("RUL003", first)}


def test_an_environment_that_goes_takes_its_rules_along(tree: Path, found: Found) -> None:
    shutil.rmtree(tree / "environments" / "production")
    shutil.rmtree(tree / "manifests" / "production")
    commit(tree)
    gone = "environments/production/environment.yaml"
    assert ("RUL001", gone) in found(tree, severity="warning")


def test_a_stale_manifest_is_not_taken_for_one_that_a_checkout_changes(
    tree: Path, found: Found
) -> None:
    path = f"{RENDERED}/deployment.yaml"
    write(tree / path, "kind: Deployment\n")
    commit(tree)
    assert found(tree) == {("RND001", path)}


def test_only_policies_and_what_they_take_may_stand_among_policies(
    tree: Path, found: Found
) -> None:
    write(tree / "policies" / "extra.yaml", ROLE_BINDING)
    write(tree / "policies" / "extra.json", "{}")
    commit(tree)
    wrong = {("POL006", "policies/extra.yaml"), ("POL006", "policies/extra.json")}
    assert found(tree) == wrong


def test_a_plan_says_when_it_is_the_base_that_is_broken(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tree / CHAT / "release.yaml"
    sound = spec.read_text("utf-8")
    spec.write_text(sound.replace("kind: ModelRelease", "kind: Other"), "utf-8")
    commit(tree)
    spec.write_text(sound, "utf-8")
    assert plan.run(base=None, root=str(tree), form="text") == 1
    said = capsys.readouterr().err
    assert "kind: Other" in said
    assert "This is wrong in HEAD, not in the work tree" in said


def test_a_plan_tells_of_rules_that_change(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop_policy(tree)
    waive_it(tree)
    environment = tree / "environments" / "production" / "environment.yaml"
    text = environment.read_text("utf-8")
    text = text.replace("review: required", "review: automatic").replace("quota: 16", "quota: 20")
    environment.write_text(text, "utf-8")
    assert plan.run(base="base", root=str(tree), form="text") == 0
    said = capsys.readouterr().out
    for line in (
        "- ValidatingAdmissionPolicy sluice-pinned-images",
        "- ValidatingAdmissionPolicyBinding sluice-pinned-images",
        (
            "rule policies/pinned-images.yaml: ValidatingAdmissionPolicy sluice-pinned-images: "
            "present -> absent (LOOSER), for @platform-team"
        ),
        (
            "rule policies/waivers.yaml: waiver of POL010/sluice-pinned-images "
            "production/platform/chat: absent -> 2099-12-31 (LOOSER), for @platform-team"
        ),
        (
            "rule environments/production/environment.yaml: spec.promotion.review: "
            "required -> automatic (LOOSER), for @platform-team"
        ),
        (
            "rule environments/production/environment.yaml: spec.accelerators.quota: "
            "16 -> 20 (LOOSER), for @platform-team"
        ),
    ):
        assert line in said.splitlines()
    assert plan.run(base="base", root=str(tree), form="markdown") == 0
    assert "**looser:**" in capsys.readouterr().out


def test_a_repository_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = tmp_path / "models"
    init.write(top)
    assert cli.main(["check", "--root", str(top)]) == 0
    assert "GIT005" not in capsys.readouterr().out  # there is no Git
    run_git(top, "init", "--quiet", "--object-format=sha256")
    assert cli.main(["check", "--root", str(top)]) == 0
    said = capsys.readouterr().out
    assert ".git:1:1: warning[GIT005] how Git has these files is not checked: " in said
    assert "SHA-256" in said
