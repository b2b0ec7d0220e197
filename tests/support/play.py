"""Sluice's commits on a model of Argo CD: what the live routes lead to while they are synced."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import yaml

from sluice.core import layout
from support.argocd.controller import ArgoCD
from support.argocd.normal import NEWEST, Version
from support.argocd.objects import Change, Cluster, Key
from support.argocd.operating import Settings
from support.argocd.repository import Repository
from support.story import NAMESPACE, Tree
from support.traffic import backends, is_served, shares, workloads

NEVER = 10**9
"""Seconds between two polls, where a test alone says who looks when."""


@dataclass(repr=False)
class Play:
    """A cluster that follows commits.

    Args:
        polls: whether Argo CD looks by itself; else only where a test asks it to.
        version: of Argo CD.
        wrongs: what was wrong at some moment, for people.
    """

    polls: bool = True
    version: Version = NEWEST
    argo: ArgoCD = field(init=False)
    wrongs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = Settings(version=self.version)
        if not self.polls:
            settings = replace(settings, resync=NEVER, grace=NEVER)
        self.argo = ArgoCD(Repository(), Cluster(), settings=settings)

    def copy(self) -> "Play":
        """The same, to go on from here."""
        return deepcopy(self)

    @property
    def cluster(self) -> Cluster:
        return self.argo.cluster

    def begin(self, tree: Tree, environments: Sequence[str] = ("production",)) -> None:
        """Bootstrap environments from a commit, as their README says."""
        self.argo.repository.commit(tree)
        for name in environments:
            self.argo.create(yaml.safe_load(tree[f"{layout.BOOTSTRAP}/{name}.yaml"]))

    def push(self, tree: Tree) -> None:
        """One more commit, of which Argo CD hears nothing."""
        self.argo.repository.commit(tree)

    def refresh(self, *names: str) -> None:
        """Applications are asked to look; all of them where none is named."""
        for name in names or self.argo.names:
            self.argo.refresh(name)

    def settle(self, tree: Tree) -> None:
        """One more commit that everything follows."""
        self.push(tree)
        for _ in range(3):  # an Application that is new looks by itself; one that goes takes time
            self.refresh()
            self.argo.advance(40)

    def watch(self) -> None:
        """Look at every change from now on whether the routes are left something that answers."""
        self.cluster.watch = self._look

    def shares(self) -> dict[str, int]:
        """The percent of all requests that each workload gets."""
        return shares(self.cluster, NAMESPACE)

    def until(self, wanted: dict[str, int], at_most: int) -> int:
        """Seconds until the routes lead where they should; more than `at_most` when they do not."""
        for spent in range(at_most + 1):
            if {name: share for name, share in self.shares().items() if share} == wanted:
                return spent
            self.argo.advance(1)
        return at_most + 1

    def _look(self, cluster: Cluster, change: Change) -> None:
        wrongs = [
            f"{b.route} gives {b.name} {b.weight} %, where nothing answers"
            for b in backends(cluster)
            if not is_served(cluster, b)
        ]
        if change.verb == "delete":
            wrongs += self._deleted(change.key)
        self.wrongs += [f"{change.verb} {change.key}: {wrong}" for wrong in wrongs]

    def _deleted(self, key: Key) -> list[str]:
        """The routes that still name what is deleted, or something that only it stood behind."""
        live = self.cluster.objects[key]
        since, live.deleting = live.deleting, None
        behind = [(b, workloads(self.cluster, b)) for b in backends(self.cluster)]
        live.deleting = since
        return [
            f"{b.route} names {b.name}" for b, found in behind if b.key == key or found == [key]
        ]
