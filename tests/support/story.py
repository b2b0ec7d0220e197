"""What Sluice commits, as trees: a repository of `sluice init` and a rollout that goes through it.

The commits are made by the same pure functions as the reconciler's, without Git and without a
cluster: what a test says is observed decides what comes next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from sluice.commands import init
from sluice.core import layout
from sluice.core.model import ModelVersion
from sluice.core.promotion.converge import _spec_changes
from sluice.core.promotion.rollout_change import spec_changes
from sluice.core.rollout.file import rollout_of
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import Observation, Rollout, Write
from sluice.core.specs.resolve import Release
from sluice.workspace.workspace import Workspace
from support import trees

KEY = layout.Key("production", "platform", "chat")
RELEASE, ROLLOUT = layout.spec_paths(KEY)
ENVIRONMENT = layout.environment_path(KEY.environment)
NAMESPACE = "ai-inference"
Tree = Mapping[str, bytes]


@cache
def starter() -> Tree:
    """What `sluice init` writes, without what it renders."""
    wanted = init.read_starter()
    return {path: content for path, content in wanted.items() if content is not None}


def rendered(files: Tree) -> dict[str, bytes]:
    """A tree with its manifests."""
    specs = {p: c for p, c in files.items() if not p.startswith(f"{layout.MANIFESTS}/")}
    workspace = Workspace(dict(specs))
    vars(workspace)["tools"] = trees.tools()
    manifests = workspace.render()
    return {**specs, **{path: manifest.content() for path, manifest in manifests.items()}}


def changed(files: Tree, path: str, change: Mapping[str, Any]) -> dict[str, bytes]:
    """A tree with other values in the spec of a file; None removes one."""
    data = yaml.safe_load(files[path])
    for name, value in change.items():
        data["spec"][name] = value
        if value is None:
            del data["spec"][name]
    return {**files, path: yaml.safe_dump(data, sort_keys=False).encode()}


@dataclass
class Story:
    """A repository while one release of it rolls out.

    Args:
        files: the specs that it begins with.
        trees: what each commit holds, oldest first.
    """

    files: Tree
    trees: list[dict[str, bytes]] = field(default_factory=list)
    _stable: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self.trees = self.trees or [rendered(self.files)]

    @property
    def head(self) -> dict[str, bytes]:
        return self.trees[-1]

    @property
    def release(self) -> Release:
        """The release as it is now."""
        workspace = Workspace({p: c for p, c in self.head.items() if p.startswith("environments/")})
        vars(workspace)["tools"] = trees.tools()
        return workspace.specs.releases[KEY]

    @property
    def rollout(self) -> Rollout:
        """Where the rollout stands."""
        release = self.release
        written = release.rollout.data["spec"] if release.rollout else None
        return rollout_of(release.spec, written)

    def copy(self) -> "Story":
        """The same story, to go on from there."""
        return Story(self.files, list(self.trees))

    def commit(self, changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
        """A commit with these changes, rendered; its tree."""
        files = {**self.head, **{p: c for p, c in changes.items() if c is not None}}
        for path in [path for path, content in changes.items() if content is None]:
            files.pop(path, None)
        self.trees.append(rendered(files))
        return self.head

    def promote(self, version: str) -> dict[str, bytes]:
        """The commit of a promotion, as its pull request brings it."""
        model = self.release.spec.model.name
        source = f"pvc://model-pvc/qwen2.5-7b-instruct-awq/{version}"
        chosen = ModelVersion(model, version, source, created=1, updated=1)
        return self.commit(_spec_changes(self.release, chosen, source))

    def tick(self, observed: Observation, now: int) -> Write:
        """The commit that the reconciler makes of what it observes."""
        write = next_step(self.rollout, observed, now).write
        assert write is not None, next_step(self.rollout, observed, now)
        self.write(write)
        return write

    def write(self, write: Write) -> dict[str, bytes]:
        """The commit of a write."""
        release = self.release
        stable = release.rollout.data["spec"]["stable"]["spec"] if release.rollout else None
        return self.commit(spec_changes(release, write, stable))
