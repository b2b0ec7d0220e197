"""Who is asked what a rollout does in the cluster: Argo CD, the routes and Prometheus.

Each only if it is set up. What may be missing for want of a right is told as a gap, not a problem.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.cluster.argocd import KubernetesCluster, open_cluster
from sluice.cluster.connection import AbsentError, ForbiddenError
from sluice.cluster.routes import KubernetesRoutes, open_routes
from sluice.core.analysis.queries import Question, promql
from sluice.core.analysis.samples import Series
from sluice.core.cluster import Application, Cluster, Routes
from sluice.core.finding import SilentError, UsageError
from sluice.core.model import RouteKind
from sluice.core.specs.resolve import Environment
from sluice.core.unforeseen import isolated
from sluice.core.workload.applications import IN_CLUSTER
from sluice.reconciler.pen import end_sync, refresh_application

Ask = Callable[[str, str, float], Sequence[Series]]
"""Address, PromQL and time to series; UsageError when the answer is missing or only a part."""


Objects = Mapping[str, Mapping[str, Any]]
UNSET = "set SLUICE_ARGOCD, to kubernetes:CONTEXT for instance"


@dataclass
class Observers:
    """What this process can ask; each server is asked for a thing once.

    Args:
        cluster: Argo CD.
        ask: Prometheus.
        problems: who did not answer, and why.
        routes: where routes are read, by environment; under "" for all others.
        beside: where routes are read of environments in the cluster of Argo CD itself.
        gaps: what could be known and is not, for want of a right.
        ends: whether a sync that hangs on an older commit may be ended.
    """

    cluster: Cluster | None
    ask: Ask
    problems: list[str] = field(default_factory=list)
    routes: Mapping[str, Routes] = field(default_factory=dict)
    beside: Routes | None = None
    gaps: list[str] = field(default_factory=list)
    ends: bool = False
    _seen: dict[str, Mapping[str, Application]] = field(default_factory=dict)
    _refusals: dict[str, str] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _routes: dict[tuple[str, RouteKind], Objects | None] = field(default_factory=dict)

    def application(self, namespace: str, name: str) -> Application | None:
        """What Argo CD says of one application; None when nobody says."""
        if self.cluster is None:
            return None
        if namespace not in self._seen:
            try:
                with isolated("Argo CD"):
                    self._seen[namespace] = self.cluster.applications(namespace)
            except UsageError as error:
                self._seen[namespace] = {}
                self._refusals[namespace] = str(error)
                self.problems.append(str(error))
        return self._seen[namespace].get(name)

    def why_silent(self, namespace: str) -> str:
        """Why the Argo CD of a namespace does not say what it knows; empty when it does."""
        if self.cluster is None:
            return next(iter(self.problems), UNSET)
        self.application(namespace, "")
        return self._refusals.get(namespace, "")

    def live_routes(self, environment: Environment, kind: RouteKind) -> Objects | None:
        """The routes in the cluster of an environment, by name; None when they cannot be read."""
        reader = self._reader(environment)
        if reader is None:
            return None
        asked = environment.name, kind
        if asked not in self._routes:
            self._routes[asked] = self._read_routes(reader, environment, kind)
        return self._routes[asked]

    def _reader(self, environment: Environment) -> Routes | None:
        own = self.routes.get(environment.name) or self.routes.get("")
        if own is None and environment.spec.cluster.server == IN_CLUSTER:
            return self.beside
        return own

    def _read_routes(
        self, reader: Routes, environment: Environment, kind: RouteKind
    ) -> Objects | None:
        try:
            with isolated("the routes of a cluster"):
                return reader.routes(kind, environment.spec.namespace)
        except (ForbiddenError, AbsentError) as error:
            self.gaps.append(f"the routes of {environment.name} are not read: {error}")
        except UsageError as error:
            self.problems.append(str(error))
        return None

    def refresh(self, namespace: str, name: str) -> str:
        """Ask Argo CD to look at Git for an application now; why that cannot be, in words."""
        if self.cluster is None:
            return self.why_silent(namespace)
        try:
            with isolated("Argo CD"):
                refresh_application(self.cluster, namespace, name)
        except UsageError as error:
            return str(error)
        return ""

    def end(self, namespace: str, name: str, revision: str) -> str:
        """End a sync that keeps Git from being followed; what came of it, in words."""
        if self.cluster is None or not self.ends:
            return ""
        try:
            with isolated("Argo CD"):
                end_sync(self.cluster, namespace, name, revision)
        except UsageError as error:
            return f"a sync that hangs could not be ended: {error}"
        return f"ended the sync of {name} that hung at revision {revision[:10]}"

    def answer(
        self, address: str, question: Question, window: int, time: int
    ) -> Sequence[Series] | None:
        """The raw samples of a question; None when they cannot be had whole.

        A server that does not answer is not asked again: each time would take as long.
        """
        if address in self._silent:
            return None
        try:
            with isolated("Prometheus"):
                return self.ask(address, promql(question, window), time)
        except UsageError as error:
            if isinstance(error, SilentError):
                self._silent.add(address)
            self.problems.append(str(error))
            return None


def open_observers(environ: Mapping[str, str] | None = None) -> Observers:
    """What the environment of the process says: SLUICE_ARGOCD, _ROUTES, and SLUICE_PROMETHEUS_*.

    Inside a cluster, Argo CD is asked there unless another word is given; where it is asked, the
    routes beside it are read.
    """
    environ = os.environ if environ is None else environ
    default = "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else ""
    cluster = open_cluster(environ.get("SLUICE_ARGOCD", default))
    beside = None
    if isinstance(cluster, KubernetesCluster):
        beside = KubernetesRoutes(cluster.context or "")
    routes = open_routes(environ.get("SLUICE_ROUTES", ""))
    ends = environ.get("SLUICE_ARGOCD_END", "") == "hanging"
    return Observers(cluster, _read_prometheus(environ), routes=routes, beside=beside, ends=ends)


def open_helpers() -> Observers:
    """Who may help after a commit; a setting that is wrong must not look like a commit that is."""
    try:
        return open_observers()
    except UsageError as error:
        return Observers(None, _read_prometheus(os.environ), problems=[str(error)])


def _read_prometheus(environ: Mapping[str, str]) -> Ask:
    def ask(address: str, query: str, time: float) -> Sequence[Series]:
        from sluice.metrics.prometheus import Prometheus  # noqa: PLC0415  # slow, seldom wanted

        with Prometheus(address, environ) as server:
            answer = server.query(query, time)
        if answer.is_partial:
            said = f"Prometheus at {address} gives only a part of the data"
            raise UsageError(f"{said}: {answer.warnings[0]}")
        return list(answer.series)

    return ask
