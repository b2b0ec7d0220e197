"""A rollout on a stage: a real repository and forge, an Argo CD and metrics that are made up.

Argo CD applies each commit of main some seconds after it was made. Requests come evenly, by the
weight that is applied; the counters are what a scrape every quarter of a minute would have seen.
"""

import shutil
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sluice import git
from sluice.core.cluster import Application
from sluice.core.finding import UsageError
from sluice.core.model import Signature
from sluice.core.promotion.outcome import Outcome
from sluice.forges.local import LocalForge
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import move_each
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import AUTHOR as ROBOT
from support.git_fixtures import AUTHOR, MAIN
from support.loop import KEY, Loop

ENVIRONMENT = "environments/production/environment.yaml"
RELEASE = f"environments/{KEY}/release.yaml"
ROLLOUT = f"environments/{KEY}/rollout.yaml"
ROUTE = f"manifests/{KEY}/routes/ingress-canary.yaml"
SCRAPE = 15
READY = "kube_deployment_status_replicas_ready"
START = 1_795_200_000
CANARY = """  rollout:
    strategy: canary
    steps:
      - weight: 10
        soak: 10m
    rollbackWindow: 20m
"""


@dataclass
class Cluster:
    """Argo CD that knows one release: its workloads, whose health is set, and its routes."""

    loop: Loop
    revision: str = ""
    applied: list[tuple[str, int]] = field(default_factory=list)
    health: str = "Healthy"
    synced: bool = True
    down: bool = False
    lag: int = 30
    resources: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    refreshed: list[str] = field(default_factory=list)

    def follow(self, now: int) -> None:
        head = git.resolve(self.loop.repository, MAIN)
        due = git.commit_of(self.loop.repository, head).time + self.lag <= now
        if due and head != self.revision and self.synced and not self.down:
            self.revision = head
            self.applied.append((head, now))

    def applications(self, namespace: str) -> Mapping[str, Application]:
        del namespace
        if self.down:
            raise UsageError("the cluster does not answer")
        if not self.revision:
            return {}
        routes = Application(self.revision, self.synced, "Healthy", deployed=self._history())
        workload = replace(routes, health=self.health, resources=self.resources)
        return {"production.chat": workload, "production.chat.routes": routes}

    def refresh(self, namespace: str, name: str) -> None:
        if self.refusal:
            raise UsageError(self.refusal)
        self.refreshed.append(f"{namespace}/{name}")

    def end(self, namespace: str, name: str, revision: str) -> None:
        raise AssertionError(f"{namespace}/{name} does not hang at {revision}")

    def _history(self) -> tuple[tuple[str, int], ...]:
        return tuple(self.applied[-10:])


class Metrics:
    """Counters of the web servers of both versions, as Prometheus would give them."""

    def __init__(self) -> None:
        self.rate = 40.0
        self.errors: dict[str, float] = {"1": 0.001, "2": 0.001}
        self.refused: dict[str, float] = {}
        self.hidden: set[str] = set()
        self.scraping = True
        self.ready: dict[str, int] = {}
        self.totals: dict[tuple[str, str], float] = {}
        self.samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.gauges: dict[tuple[str, str], float] = {}
        self.problem = ""
        self.silent = False
        self.queries: list[str] = []

    def pass_(self, since: int, until: int, shares: Mapping[str, float]) -> None:
        for time in range(since + SCRAPE, until + 1, SCRAPE):
            for version, share in shares.items():
                requests, bad = self.rate * SCRAPE * share, self.errors.get(version, 0.0)
                refused = self.refused.get(version, 0.0)
                parts = {"2xx": 1 - bad - refused, "5xx": bad, "4xx": refused}
                for status, part in parts.items():
                    key = (version, status)
                    self.totals[key] = self.totals.get(key, 0.0) + requests * part
                    if not self.scraping or (status == "4xx" and not refused):
                        continue
                    self.samples.setdefault(key, []).append((time, float(int(self.totals[key]))))

    def restart(self, version: str) -> None:
        for status in ("2xx", "5xx", "4xx"):
            self.totals[version, status] = 0.0

    def ask(self, address: str, query: str, time: float) -> Sequence[Any]:
        del address
        self.queries.append(query)
        if self.problem:
            raise UsageError(self.problem)
        if query.startswith(READY):
            return self._ready(time)
        if self.silent or not query.startswith("http_requests_total{"):
            return self._gauges(query.partition("{")[0], time)
        return [
            (
                {**_labels("http_requests_total", version), "status": status},
                [s for s in samples if s[0] <= time],
            )
            for (version, status), samples in self.samples.items()
            if version not in self.hidden
        ]

    def _ready(self, time: float) -> Sequence[Any]:
        """Ready replicas of Deployments, as the cluster's own state is exported."""
        return [
            (
                {"__name__": READY, "namespace": "ai-inference", "deployment": name},
                [(time - SCRAPE, float(count))],
            )
            for name, count in self.ready.items()
        ]

    def _gauges(self, metric: str, time: float) -> Sequence[Any]:
        """Gauges that have had one value for a long time."""
        times = range(int(time) - 900, int(time) + 1, SCRAPE)
        return [
            (_labels(metric, version), [(float(t), value) for t in times])
            for (name, version), value in self.gauges.items()
            if name == metric
        ]


def _labels(metric: str, version: str) -> dict[str, str]:
    """What tells the series of one version apart."""
    return {
        "__name__": metric,
        "namespace": "ai-inference",
        "sluice_dev_release": "chat",
        "sluice_dev_version": version,
        "pod": f"chat-v{version}-0",
    }


class Stage:
    """One release that rolls out, minute by minute."""

    def __init__(
        self,
        folder: Path,
        *,
        automatic: bool = True,
        rollout: str = CANARY,
        address: str = "http://p:9090",
        gateway: str = "",
    ) -> None:
        self.loop = Loop(folder)
        self.now = START
        self.loop.register(1)
        text = self.loop.file(RELEASE)
        text = text.replace("  rollout:\n    strategy: rolling\n", rollout)
        environment = self.loop.file(ENVIRONMENT)
        environment = environment.replace(
            "podMonitor: true", f"podMonitor: true\n    prometheus:\n      address: {address}", 1
        )
        if gateway:
            named = f"podMonitor: true\n    gateway: {gateway}"
            environment = environment.replace("podMonitor: true", named, 1)
        if automatic:
            environment = environment.replace("review: required", "review: automatic")
        self.loop.commit({RELEASE: text.encode(), ENVIRONMENT: environment.encode()})
        self.cluster = Cluster(self.loop)
        self.metrics = Metrics()
        self.routed: int | None = None
        self.log: list[str] = []

    def copy(self, folder: Path) -> "Stage":
        """The same stage in another folder, to go on from there."""
        shutil.copytree(self.loop.folder, folder, dirs_exist_ok=True)
        loop = copy(self.loop)
        loop.folder, loop.bare = folder, folder / "models.git"
        loop.repository = git.open_repository(loop.bare)
        again = copy(self)
        again.loop, again.metrics, again.log = loop, deepcopy(self.metrics), []
        again.cluster = replace(
            self.cluster,
            loop=loop,
            applied=list(self.cluster.applied),
            resources=dict(self.cluster.resources),
            refreshed=[],
        )
        return again

    @property
    def observers(self) -> Observers:
        return Observers(self.cluster, self.metrics.ask)

    @property
    def scene(self) -> Scene:
        repository = self.loop.repository
        return Scene(repository, git.Direct(repository).move, self.forge(ROBOT), lambda: self.now)

    def forge(self, who: Signature) -> LocalForge:
        return LocalForge(git.Store(self.loop.repository), lambda: self.now, who)

    def merge(self, number: int) -> None:
        """A person merges a pull request."""
        forge = self.forge(AUTHOR)
        forge.merge(number, forge.get(number).head)

    def begin(self) -> None:
        """The registry promotes version 2, and its pull request is merged."""
        self.loop.register(2)
        world = Runtime(
            git.Direct(self.loop.repository),
            self.loop.registry,
            self.forge(ROBOT),
            lambda: self.now,
        )
        outcomes = {o.release: o for o in cycle(world)}
        if outcomes[KEY].what == "proposed":
            self.merge(outcomes[KEY].pull)
        assert self.state()[0] == "WARMING", outcomes

    def tick(self) -> Outcome | None:
        """A minute passes, then the reconciler looks once."""
        before = self.now
        self.now += 60
        weight = self.applied_weight() if self.routed is None else self.routed
        shares = {"1": 1 - weight / 100, "2": weight / 100}
        if self.returns():
            shares = {"1": weight / 100, "2": 1 - weight / 100}
        self.metrics.pass_(before, self.now, shares)
        self.cluster.follow(self.now)
        outcomes = list(move_each(self.scene, self.observers))
        self.log += [f"{o.release}: {o.what} {o.reasons}" for o in outcomes]
        return next((o for o in outcomes if o.release == KEY), None)

    def run(self, minutes: int, until: str = "") -> None:
        """Minutes pass, at most until a state is reached."""
        for _ in range(minutes):
            self.tick()
            if until and self.state()[0] == until:
                return

    def applied_weight(self) -> int:
        if not self.cluster.revision:
            return 0
        said = self.at(ROLLOUT, self.cluster.revision)
        if said is not None:
            return int(said["spec"]["weight"])
        return 100 if self.version(self.cluster.revision) == "2" else 0

    def returns(self) -> bool:
        """Whether it is the first version that is brought back."""
        said = self.at(ROLLOUT, self.cluster.revision) if self.cluster.revision else None
        return said is not None and said["spec"]["candidate"] == "1"

    def at(self, path: str, revision: str = MAIN) -> dict[str, Any] | None:
        files = git.read_tree(self.loop.repository, revision, [path]).files
        return yaml.load(files[path], yaml.CSafeLoader) if path in files else None

    def version(self, revision: str = MAIN) -> str:
        found = self.at(RELEASE, revision)
        assert found
        return str(found["spec"]["model"]["version"])

    def state(self) -> tuple[str, int]:
        said = self.at(ROLLOUT)
        if said is None:
            return "STABLE", 100 if self.version() == "2" else 0
        return said["spec"]["state"], said["spec"]["weight"]

    def quarantine(self) -> list[str]:
        found = self.at(RELEASE)
        assert found
        return list(found["spec"]["model"].get("quarantine", []))

    def commits(self) -> int:
        head, count = git.resolve(self.loop.repository, MAIN), 0
        commit = git.commit_of(self.loop.repository, head)
        while commit.parents:
            commit, count = git.commit_of(self.loop.repository, commit.parents[0]), count + 1
        return count

    def subjects(self) -> list[str]:
        found = []
        commit = git.commit_of(self.loop.repository, MAIN)
        while commit.parents:
            found.append(commit.message.splitlines()[0])
            commit = git.commit_of(self.loop.repository, commit.parents[0])
        return found
