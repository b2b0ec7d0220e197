"""A stage whose cluster is the model of Argo CD: it polls, and requests go where routes lead."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice import git
from sluice.cluster.argocd import FileCluster
from sluice.core.cluster import Application
from sluice.workspace.revisions import read_workspace
from support.argocd.health import Doctor
from support.argocd.operating import NAMESPACE
from support.argocd.status import application
from support.git_fixtures import MAIN
from support.play import Play
from support.stage import Cluster, Stage

FOLDERS = ["manifests", "policies"]


@dataclass
class ModelledCluster(Cluster):
    """Argo CD as the model has it; `start` is when its clock began."""

    play: Play = field(default_factory=Play)
    start: int = 0
    _turned: dict[str, tuple[str, int]] = field(default_factory=dict)

    def follow(self, now: int) -> None:
        """Let time pass until now; commits are there when it begins."""
        argo = self.play.argo
        for revision in self._new_commits():
            files = git.read_tree(self.loop.repository, revision, FOLDERS).files
            if not argo.repository.log:
                self.start = now
                self.play.begin(files)
                argo.repository.log.clear()
            argo.repository.commit(files, revision)
        argo.advance(now - self.start - argo.now)
        for name in argo.states:
            if self._turned.get(name, ("", 0))[0] != argo.health(name):
                self._turned[name] = argo.health(name), now
        self.revision = argo.repository.log[-1]

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """What the API server would give, read as a command reads it."""
        argo = self.play.argo
        items = [application(argo, name, self.start, self._turned[name][1]) for name in argo.names]
        path = self.loop.folder / "applications.json"
        path.write_text(json.dumps({"items": items}))
        assert namespace == NAMESPACE
        return FileCluster(str(path)).applications(namespace)

    def refresh(self, namespace: str, name: str) -> None:
        """Look now, as the annotation on an Application asks."""
        assert namespace == NAMESPACE
        self.play.refresh(name)

    def share(self) -> int:
        """The percent of all requests that the candidate gets."""
        return self.play.shares().get("chat-v2", 0)

    def _new_commits(self) -> list[str]:
        """The commits of main that it has not heard of, oldest first."""
        known, new = set(self.play.argo.repository.log), []
        revision = git.resolve(self.loop.repository, MAIN)
        while revision not in known:
            new.append(revision)
            parents = git.commit_of(self.loop.repository, revision).parents
            if not known or not parents:
                break
            revision = parents[0]
        return new[::-1]


def put_on(stage: Stage) -> ModelledCluster:
    """Give a stage the model for its cluster, and let it come up."""
    rendered = read_workspace(stage.loop.repository, MAIN).render()
    there = git.read_tree(stage.loop.repository, MAIN, FOLDERS[:1]).files
    changes: dict[str, bytes | None] = dict.fromkeys(there.keys() - rendered.keys())
    changes |= {path: manifest.content() for path, manifest in rendered.items()}
    stage.loop.commit(changes)
    cluster = ModelledCluster(stage.loop)
    stage.cluster = cluster
    cluster.follow(stage.now)
    stage.now += 300
    cluster.follow(stage.now)
    assert cluster.play.shares() == {"chat-v1": 100}
    cluster.play.watch()
    stage.routed = 0
    return cluster


def run(stage: Stage, cluster: ModelledCluster, minutes: int, until: str = "") -> None:
    """Minutes pass, at most until a state is reached in Git."""
    for _ in range(minutes):
        stage.tick()
        stage.routed = cluster.share()
        if until and stage.state()[0] == until:
            return


def sick(cluster: ModelledCluster, doctor: Doctor) -> None:
    """Let objects be unwell from now on."""
    cluster.play.argo.doctor = doctor
