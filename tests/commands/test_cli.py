"""The command line as a person and a machine use it: output, exit codes, nothing half-done."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import __version__, cli
from support.command_line import change, sluice, tree
from support.git_fixtures import run_git
from support.loop import KEY, SPEC, Loop

__all__ = ["tree"]


def test_a_fresh_repository_is_clean_in_every_respect(tree: Path) -> None:
    for command in (["validate"], ["render", "--check"], ["check"], ["check", "--base", "HEAD"]):
        done = sluice(*command, cwd=tree)
        assert (done.returncode, done.stdout) == (0, ""), command
    assert run_git(tree, "status", "--porcelain") == ""


def test_init_refuses_a_folder_in_use_and_changes_nothing(tree: Path) -> None:
    (tree / "README.md").write_text("mine")
    done = sluice("init", tree)
    assert done.returncode == 2
    assert "already" in done.stderr
    assert (tree / "README.md").read_text() == "mine"


def test_init_pins_its_own_wheel_where_it_is_told_the_hash(tmp_path: Path) -> None:
    digest = "sha256:" + "0a" * 32
    assert sluice("init", tmp_path / "a", "--wheel-hash", digest).returncode == 0
    pinned = (tmp_path / "a" / ".github" / "sluice.txt").read_text()
    assert pinned == f"sluice-gitops=={__version__} --hash={digest}\n"
    for wrong in ("0a" * 32, "sha256:0a", f"{digest}\n--index-url=x", digest.upper()):
        done = sluice("init", tmp_path / "b", "--wheel-hash", wrong)
        assert (done.returncode, done.stderr.count("--wheel-hash is sha256:")) == (2, 1)
        assert not (tmp_path / "b").exists()


def test_validate_shows_the_line_and_the_remedy(tree: Path) -> None:
    change(tree, SPEC, "prefixCaching", "prefixCashing")
    done = sluice("validate", tree / SPEC, cwd=tree)
    assert done.returncode == 1
    assert f"{SPEC}:19:5: error[SCH001] unknown key 'prefixCashing'" in done.stdout
    assert "did you mean 'prefixCaching'?" in done.stdout


def test_validate_of_one_file_looks_at_that_file_only(tree: Path) -> None:
    change(tree, "environments/staging/platform/chat/release.yaml", "kind: ModelRelease", "kind: X")
    assert sluice("validate", tree / SPEC, cwd=tree).returncode == 0
    assert sluice("validate", cwd=tree).returncode == 1


@pytest.mark.parametrize("form", ["json", "sarif", "gitlab"])
def test_machine_formats_are_one_json_document_on_stdout(tree: Path, form: str) -> None:
    assert json.loads(sluice("check", "--format", form, cwd=tree).stdout) is not None
    change(tree, SPEC, "prefixCaching", "prefixCashing")
    done = sluice("check", "--format", form, cwd=tree)
    assert done.returncode == 1
    assert "SCH001" in json.dumps(json.loads(done.stdout))


def test_a_path_outside_the_repository_is_a_finding(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "release.yaml"
    outside.write_text("kind: ModelRelease\n")
    assert "REF019" in sluice("validate", outside, cwd=tree).stdout
    assert "REF019" in sluice("validate", tree / ".." / "release.yaml", cwd=tree).stdout


def test_a_symbolic_link_is_a_finding_and_is_not_read(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    link = tree / "environments/production/platform/other/release.yaml"
    link.parent.mkdir()
    link.symlink_to(secret)
    for command in (["validate"], ["render"], ["validate", str(link)]):
        done = sluice(*command, cwd=tree)
        assert done.returncode == 1
        assert "symbolic link" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr


def test_rendering_with_a_broken_spec_changes_nothing(tree: Path) -> None:
    change(tree, SPEC, "max: 4", "max: 6")
    change(tree, "environments/staging/platform/chat/release.yaml", "replicas: 1", "replicas: one")
    assert sluice("render", cwd=tree).returncode == 1
    assert run_git(tree, "status", "--porcelain", "manifests") == ""


def test_a_stale_manifest_fails_the_check_and_rendering_mends_it(tree: Path) -> None:
    change(tree, SPEC, "max: 4", "max: 6")
    done = sluice("render", "--check", cwd=tree)
    assert (done.returncode, "RND001" in done.stdout) == (1, True)
    assert run_git(tree, "status", "--porcelain", "manifests") == ""
    assert sluice("render", cwd=tree).returncode == 0
    assert sluice("check", cwd=tree).returncode == 0
    assert "maxReplicas: 6" in run_git(tree, "diff", "manifests")


def test_deleting_a_release_removes_its_manifests(tree: Path) -> None:
    (tree / SPEC).unlink()
    assert sluice("render", cwd=tree).returncode == 0
    assert not (tree / "manifests" / KEY).exists()
    assert not list((tree / "manifests").rglob("*production/_argocd/platform*"))


def test_a_file_of_a_person_in_manifests_is_never_deleted(tree: Path) -> None:
    mine = tree / "manifests" / KEY / "mine.yaml"
    mine.write_text("kind: ConfigMap\n")
    done = sluice("render", cwd=tree)
    assert (done.returncode, "RND002" in done.stdout) == (1, True)
    assert mine.read_text() == "kind: ConfigMap\n"


def test_check_with_a_base_looks_at_what_changed(tree: Path) -> None:
    change(tree, SPEC, "max: 4", "max: 6")
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, "horizontalpodautoscaler.yaml" in done.stdout) == (1, True)
    assert sluice("render", cwd=tree).returncode == 0
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, done.stderr) == (0, "1 release, all layers: no findings\n")


def test_check_with_a_base_looks_at_manifests_that_only_people_changed(tree: Path) -> None:
    manifest = tree / "manifests" / KEY / "service.yaml"
    manifest.write_bytes(manifest.read_bytes() + b"# by hand\n")
    run_git(tree, "commit", "--all", "--message", "by hand")
    done = sluice("check", "--base", "HEAD~1", cwd=tree)
    assert (done.returncode, f"{KEY}/service.yaml:1:1: error[RND001]" in done.stdout) == (1, True)


def test_check_with_a_base_looks_at_what_an_environment_renders(tree: Path) -> None:
    change(tree, "environments/production/environment.yaml", "quota: 16", "quota: 20")
    done = sluice("check", "--base", "HEAD", cwd=tree)
    assert (done.returncode, "_environment/resourcequota-" in done.stdout) == (1, True)


def test_a_base_that_does_not_exist_is_wrong_use(tree: Path) -> None:
    done = sluice("check", "--base", "nowhere", cwd=tree)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nowhere" in done.stderr


def test_plan_tells_objects_devices_and_cost(tree: Path) -> None:
    change(tree, SPEC, "max: 4", "max: 6")
    data = json.loads(sluice("plan", "--format", "json", cwd=tree).stdout)
    (changed,) = data["changes"]
    assert (changed["action"], changed["kind"]) == ("update", "HorizontalPodAutoscaler")
    assert changed["fields"] == [{"pointer": "spec.maxReplicas", "before": 4, "after": 6}]
    totals = data["totals"]["production"]
    assert (totals["before"]["most_devices"], totals["after"]["most_devices"]) == (4, 6)
    assert totals["after"]["most_cost"] > totals["before"]["most_cost"]
    assert "devices 1-4 -> 1-6" in sluice("plan", cwd=tree).stdout
    assert "`chat`" in sluice("plan", "--format", "markdown", cwd=tree).stdout


def test_explain_names_the_place_of_each_value(tree: Path) -> None:
    done = sluice("explain", "production/chat", "--format", "json", cwd=tree)
    values = {row["field"]: row for row in json.loads(done.stdout)["values"]}
    assert values["scaling.max"]["place"].startswith(f"{SPEC}:")
    assert values["engine.name"]["from"] == "default of the environment"
    assert values["engine.name"]["place"].startswith("environments/production/environment.yaml:")
    text = sluice("explain", "production/chat", "scaling", cwd=tree).stdout
    assert len(text.splitlines()) == 3


def test_an_unknown_or_ambiguous_release_is_told(tree: Path) -> None:
    assert "did you mean chat?" in sluice("explain", "production/chta", cwd=tree).stderr
    assert "name one of them" in sluice("explain", "chat", cwd=tree).stderr


def test_the_embedded_forge_by_hand(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2)
    registry = f"file:{tmp_path / 'registry.json'}"
    at = ["--repository", str(loop.bare)]
    dry = sluice("reconcile", "--once", "--dry-run", "--registry", registry, *at)
    assert "would propose version 2" in dry.stdout
    assert json.loads(sluice("pulls", "list", "--format", "json", *at).stdout)["pulls"] == []
    done = sluice("reconcile", "--once", "--format", "json", "--registry", registry, *at)
    outcomes = {o["release"]: o for o in json.loads(done.stdout)["outcomes"]}
    assert outcomes[KEY]["what"] == "proposed"
    assert "production/chat" in sluice("pulls", "list", *at).stdout
    shown = json.loads(sluice("pulls", "show", "1", "--format", "json", *at).stdout)
    assert SPEC in shown["files"]
    assert '+    version: "2"' in sluice("pulls", "show", "1", *at).stdout
    assert "merged" in sluice("pulls", "merge", "1", *at).stdout
    history = json.loads(sluice("history", KEY, "--format", "json", *at).stdout)["history"]
    assert [entry["version"] for entry in history] == ["2", "1"]
    assert history[0]["trailers"]["Run-Id"] == "run-2"
    assert sluice("pulls", "show", "99", *at).returncode == 2


def test_a_refused_version_is_exit_code_1(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.register(1)
    loop.register(2, metrics={})
    registry = f"file:{tmp_path / 'registry.json'}"
    done = sluice("reconcile", "--once", "--registry", registry, "--repository", loop.bare)
    assert (done.returncode, "refused version 2" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--registry", "http://127.0.0.1:9"], "127.0.0.1:9"),
        ([], "--registry"),
        (["--registry", "file:nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_a_registry_that_cannot_be_read_is_one_line(
    tmp_path: Path, options: list[str], said: str
) -> None:
    loop = Loop(tmp_path)
    done = sluice(
        "reconcile", "--once", "--repository", loop.bare, *options, MLFLOW_TRACKING_URI=""
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_remote_that_is_missing_is_one_line(tree: Path, tmp_path: Path) -> None:
    done = sluice("pulls", "list", cwd=tree)
    assert (done.returncode, "--repository" in done.stderr) == (2, True)
    done = sluice("pulls", "list", "--repository", tmp_path / "nothing")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_remote_of_a_clone_is_found(tmp_path: Path) -> None:
    Loop(tmp_path)
    run_git(tmp_path, "clone", "models.git", "clone")
    assert "no pull requests" in sluice("pulls", "list", cwd=tmp_path / "clone").stderr


def test_check_asks_the_registry_for_the_versions_that_are_named(tree: Path) -> None:
    registry = tree.parent / "registry.yaml"
    registry.write_text(
        "models: {qwen2.5-7b-instruct: {versions: [{version: 9, source: a://b}]}}\n"
    )
    done = sluice("check", "--registry", f"file:{registry}", cwd=tree)
    assert done.returncode == 1
    assert f"{SPEC}:11:14: error[REG004] the registry has no version '1'" in done.stdout


def test_doctor_tells_what_is_missing_and_the_remedy(tree: Path) -> None:
    done = sluice("doctor", "--format", "json", cwd=tree, MLFLOW_TRACKING_URI="")
    checks = {check["what"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert checks["specs"]["ok"]
    assert not checks["hooks"]["ok"]
    assert "pre-commit install" in checks["hooks"]["remedy"]
    assert not checks["registry"]["ok"]
    assert checks["webhooks"]["said"] == "not looked at: registry says why"
    assert checks["forge"]["said"] == "not looked at: repository says why"


def test_the_daemon_goes_on_after_a_failure_and_stops_when_asked(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    command = [
        sys.executable, "-m", "sluice", "reconcile", "--interval", "1",
        "--registry", f"file:{tmp_path / 'registry.json'}", "--repository", str(loop.bare),
    ]  # fmt: skip
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert daemon.stderr is not None
    assert daemon.stdout is not None
    assert "trying again" in daemon.stderr.readline()
    loop.register(1)
    loop.register(2)
    assert "proposed version 2" in daemon.stdout.readline()
    daemon.terminate()
    daemon.communicate(timeout=30)
    assert daemon.returncode == 0


def test_every_command_teaches_how_it_is_used() -> None:
    for name in ["--help", "init", "validate", "render", "check", "plan", "explain", "reconcile",
                 "pulls", "history", "doctor", "demo"]:  # fmt: skip
        done = sluice(*([name] if name == "--help" else [name, "--help"]))
        assert done.returncode == 0
        assert len(done.stdout) > 100


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; from sluice.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"mlflow", "kubernetes", "jsonschema", "jinja2", "pygit2", "yaml", "rich"}


def test_validating_a_file_imports_no_policies_no_rules_of_objects_and_no_editor(
    tree: Path,
) -> None:
    script = "import sys; from sluice.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    spec = "environments/production/platform/chat/release.yaml"
    call = [sys.executable, "-c", script, "validate", spec]
    run = subprocess.run(call, cwd=tree, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "sluice.core.workload.render" in loaded
    heavy = ("ruamel", "sluice.core.policy", "sluice.core.kubernetes.rules", "yaml.")
    assert not {m for m in loaded if m.startswith(heavy)}


def test_a_defect_has_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr("importlib.import_module", broken)
    assert cli.main(["doctor"]) == 3
    assert "defect of Sluice" in capsys.readouterr().err


def test_wrong_use_is_exit_code_2() -> None:
    assert sluice("rendre").returncode == 2
    assert sluice("render", "--root", "/nonexistent").returncode == 2
