"""A GitOps repository with a bare remote and a registry in a file, for tests of the whole loop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice import git
from sluice.commands import init
from sluice.core.forge import PullRequest
from sluice.core.model import Registry
from sluice.core.promotion.outcome import Outcome
from sluice.forges.local import LocalForge
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Runtime
from sluice.registries import open_registry
from sluice.workspace.connection import open_local_forge
from sluice.workspace.identity import AUTHOR as ROBOT
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import AUTHOR, MAIN, put

MODEL = "qwen2.5-7b-instruct"
KEY = "production/platform/chat"
SPEC = f"environments/{KEY}/release.yaml"
BRANCH = f"refs/heads/sluice/{KEY}"
OTHER = "production/search/assistant"
ENVIRONMENT = "environments/production/environment.yaml"
GOOD = {"mmlu/acc": 0.7}


class Loop:
    """Everything that one cycle needs, in one folder."""

    def __init__(self, folder: Path, registry: Registry | None = None) -> None:
        self.folder = folder
        self.repository = git.init_bare(folder / "models.git")
        self.bare = folder / "models.git"
        init.write(folder / "tree")
        tree = folder / "tree"
        files = {p.relative_to(tree).as_posix(): p for p in tree.rglob("*") if p.is_file()}
        written = {path: p.read_bytes() for path, p in files.items() if ".sluice" not in path}
        # Whatever is promoted here lies on the claim, whose files nobody lists.
        listed = b"    allowed:\n      - pvc://model-pvc/\n"
        assert listed in written[ENVIRONMENT]
        unlisted = listed + listed.replace(b"allowed", b"unlisted")
        written[ENVIRONMENT] = written[ENVIRONMENT].replace(listed, unlisted)
        put(self.repository, written, message="begin")
        self.models: dict[str, list[dict[str, Any]]] = {}
        self._registry = registry

    @property
    def registry(self) -> Registry:
        return self._registry or open_registry(f"file:{self.folder / 'registry.json'}")

    def register(
        self,
        version: int,
        stage: str = "Production",
        metrics: Mapping[str, Any] = GOOD,
        **more: object,
    ) -> None:
        """Add a version, newer than those before, or replace the one of this number."""
        entry: dict[str, Any] = {
            "version": version,
            "source": f"pvc://model-pvc/{MODEL}/{version}",
            "stage": stage,
            "created": 1_000 * version,
            "runId": f"run-{version}",
            "metrics": dict(metrics),
            **more,
        }
        name = entry.pop("model", MODEL)
        versions = [v for v in self.models.get(name, []) if v["version"] != version]
        self.models[name] = [*versions, entry]
        self._write()

    def archive(self, *versions: int) -> None:
        for entry in self.models[MODEL]:
            if entry["version"] in versions:
                entry["stage"] = "Archived"
        self._write()

    def _write(self) -> None:
        data = {"models": {name: {"versions": v} for name, v in self.models.items()}}
        (self.folder / "registry.json").write_text(json.dumps(data))

    @property
    def forge(self) -> LocalForge:
        return open_local_forge(self.repository, ROBOT)

    @property
    def reviewer(self) -> LocalForge:
        return open_local_forge(self.repository, AUTHOR)

    def cycle(self, *, dry_run: bool = False) -> dict[str, Outcome]:
        """Run one cycle; the last outcome of each release by its name."""
        world = Runtime(
            git.Direct(self.repository), self.registry, self.forge, lambda: 2_000, dry_run
        )
        return {outcome.release: outcome for outcome in cycle(world)}

    def chat(self, *, dry_run: bool = False) -> Outcome:
        """What a cycle says of the one release that these tests are about."""
        return self.cycle(dry_run=dry_run)[KEY]

    def pulls(self) -> list[PullRequest]:
        return list(self.forge.list())

    def refs(self) -> dict[str, str]:
        return git.list_refs(self.repository, "refs/")

    def file(self, path: str, revision: str = MAIN) -> str:
        return git.read_tree(self.repository, revision, [path]).files[path].decode()

    def merge(self, number: int) -> PullRequest:
        return self.reviewer.merge(number, self.reviewer.get(number).head)

    def edit(self, path: str, *pairs: tuple[str, str]) -> str:
        """Replace text in a file of main, render, and commit, as a person would."""
        raw = self.file(path)
        for old, new in pairs:
            assert old in raw
            raw = raw.replace(old, new)
        return self.commit({path: raw.encode()})

    def commit(self, changes: Mapping[str, bytes | None]) -> str:
        return put(self.repository, changes, message="a person's change")

    def add_other(self) -> None:
        """Put the release of another team beside the one that there is, of a model of its own."""
        self.add(OTHER, "helper")

    def add(self, key: str, model: str = MODEL) -> None:
        """Put one more release into the environment, rendered."""
        _, team, name = key.split("/")
        raw = self.file(SPEC).replace("name: chat", f"name: {name}", 1).replace("max: 4", "max: 1")
        raw = raw.replace("path: /v1", f"path: /{name}").replace("team: platform", f"team: {team}")
        raw = raw.replace(f"name: {MODEL}\n", f"name: {model}\n", 1)
        self.commit({f"environments/{key}/release.yaml": raw.encode()})
        rendered = read_workspace(self.repository, MAIN).render()
        self.commit({path: manifest.content() for path, manifest in rendered.items()})

    def register_both(self, version: int) -> None:
        """Promote a version of each of the two models."""
        self.register(version)
        self.register(version, model="helper", source=f"pvc://model-pvc/{MODEL}/{version}")

    def group(self, by: str) -> None:
        """Let releases share a pull request, by team or environment, or not any more."""
        raw = self.file(ENVIRONMENT)
        kept = [line for line in raw.splitlines() if not line.startswith("    group:")]
        at = next(i for i, line in enumerate(kept) if line.startswith("    review:")) + 1
        kept[at:at] = [f"    group: {by}"] if by else []
        self.commit({ENVIRONMENT: ("\n".join(kept) + "\n").encode()})
