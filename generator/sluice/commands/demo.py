"""`sluice demo`: the whole loop on this machine, with a real registry and a real Git remote."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from sluice import files, git
from sluice.commands import history, init, pulls_merge, pulls_show, reconcile
from sluice.core.finding import UsageError
from sluice.registries.server import serve_registry
from sluice.workspace.connection import open_local_forge, read_person

MODEL = "qwen2.5-7b-instruct"
RELEASE = "production/platform/chat"


def run(*, directory: str | None) -> int:
    """Act out the story; the folder that it leaves is named at the end."""
    top = Path(directory) if directory else Path(tempfile.mkdtemp(prefix="sluice-demo-"))
    if top.exists() and any(top.iterdir()):
        raise UsageError(f"{top} is not empty; name a new folder")
    files.make_folder(top)
    _say("Starting a real model registry on this machine (a few seconds)")
    with serve_registry(top / "registry") as url:
        click.echo(f"  {url}")
        _announce(top, url)
    program = "sluice" if shutil.which("sluice") else str(Path(sys.argv[0]).resolve())
    click.echo(
        f"\nEverything is in {top}:\n"
        f"  {top}/models      the GitOps repository, a clone\n"
        f"  {top}/models.git  its remote, with the pull requests\n"
        f"  {top}/registry    the registry's data\n"
        "Try next:\n"
        f"  cd {top}/models && git pull\n"
        f"  {program} explain {RELEASE}       where each value comes from\n"
        f"  {program} history {RELEASE}       who served when, and why\n"
        f"  {program} status                                 what runs where\n"
        f"  {program} board --out board.html                 the same as a page\n"
        "  edit environments/production/platform/chat/release.yaml,\n"
        f"  then: {program} plan\n"
    )
    return 0


def _announce(top: Path, url: str) -> None:
    clone, bare = top / "models", top / "models.git"
    _say("Writing a GitOps repository: sluice init")
    _make_repository(clone, bare)
    registry = Registrar(url)
    _say(f"Registering {MODEL} versions 1 and 2 with their evaluations; 1 serves, 2 is promoted")
    registry.register("1", {"mmlu/acc": 0.702, "toxicity": 0.011})
    registry.register("2", {"mmlu/acc": 0.718, "toxicity": 0.009})
    registry.promote("2")
    _reconcile(bare, url)
    _show(bare, 1)
    _say("A person merges it: sluice pulls merge 1")
    _merge(bare, 1)
    _show_rendered(clone)
    _say("Who serves what, from Git: sluice history")
    history.run(release=RELEASE, repository=str(bare), root=None, form="text")
    _say("Version 3 is promoted: the change of the spec is two lines")
    registry.register("3", {"mmlu/acc": 0.731, "toxicity": 0.008})
    registry.promote("3")
    _reconcile(bare, url)
    repository = git.open_repository(bare)
    pull = open_local_forge(repository, read_person(repository)).get(2)
    files = pulls_show.changed_files(repository, pull)
    click.echo(pulls_show.spec_diff(repository, pull, files))
    _merge(bare, 2)
    _say("Version 4 is promoted although its evaluation got worse: the gate refuses it")
    registry.register("4", {"mmlu/acc": 0.612, "toxicity": 0.008})
    registry.promote("4")
    _reconcile(bare, url)
    _git(clone, "pull", "--quiet")


def _say(what: str) -> None:
    click.echo(f"\n== {what}")


def _make_repository(clone: Path, bare: Path) -> None:
    init.write(clone)
    git.init_bare(bare).config["commit.gpgsign"] = "false"  # a person's key is not for this
    _git(clone, "init", "--quiet", "--initial-branch=main")
    _git(clone, "add", "--all")
    _git(clone, "commit", "--quiet", "--message", "Model releases, as written by sluice init")
    _git(clone, "remote", "add", "origin", str(bare.resolve()))
    _git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
    for path in sorted(clone.rglob("*.yaml")):
        inner = path.relative_to(clone).as_posix()
        if inner.startswith(("environments/", "manifests/production/platform")):
            click.echo(f"  {inner}")


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost")
    command = ["git", *identity, "-c", "commit.gpgsign=false", "-C", str(folder), *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # fixed
    except FileNotFoundError as error:
        raise UsageError("the demo needs the git command") from error
    except subprocess.CalledProcessError as error:
        raise UsageError(f"git {arguments[0]} failed: {error.stderr.strip()}") from error


def _reconcile(bare: Path, url: str) -> None:
    _say("The reconciler looks once: sluice reconcile --once")
    reconcile.run(
        once=True,
        dry_run=False,
        interval=0,
        listen=None,
        registry=url,
        repository=str(bare),
        forge=None,
        state=None,
        write_back=False,
        root=None,
        form="text",
    )


def _show(bare: Path, number: int) -> None:
    _say(f"The pull request, in the embedded forge: sluice pulls show {number}")
    pulls_show.run(number=number, repository=str(bare), root=None, form="text")


def _merge(bare: Path, number: int) -> None:
    pulls_merge.run(number=number, repository=str(bare), root=None)


def _show_rendered(clone: Path) -> None:
    _say("What Argo CD now applies: manifests/production/platform/chat")
    _git(clone, "pull", "--quiet")
    folder = clone / "manifests" / "production" / "platform" / "chat"
    for path in sorted(folder.iterdir()):
        click.echo(f"  {path.name}")
    click.echo((folder / "deployment.yaml").read_text(encoding="utf-8"))


class Registrar:
    """What a team's training pipeline does: register versions, record metrics, move stages."""

    def __init__(self, url: str) -> None:
        from sluice.registries.filling import Filler  # noqa: PLC0415  # needs the full client

        self._filler = Filler(url)

    def register(self, version: str, metrics: dict[str, float]) -> None:
        """Register the next version with a finished run."""
        source = f"pvc://model-pvc/qwen2.5-7b-instruct-awq/{version}"
        self._filler.register(MODEL, source, metrics, {"base": "Qwen/Qwen2.5-7B-Instruct"})
        listed = ", ".join(f"{name} {value}" for name, value in metrics.items())
        click.echo(f"  version {version}: {listed}")

    def promote(self, version: str) -> None:
        """Move a version to the stage that production follows."""
        self._filler.promote(MODEL, version, "Production")
        click.echo(f"  version {version} is in stage Production")
