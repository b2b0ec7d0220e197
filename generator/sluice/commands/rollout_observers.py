"""Who is asked what a rollout does in the cluster: Argo CD and Prometheus, each only if set up."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.cluster.argocd import open_cluster
from sluice.core.finding import SilentError, UsageError
from sluice.core.model import Application, Cluster
from sluice.core.rollout.queries import Question, promql
from sluice.core.rollout.samples import Series

Ask = Callable[[str, str, float], Sequence[Series]]
"""Address, PromQL and time to series; UsageError when the answer is missing or only a part."""


@dataclass
class Observers:
    """What this process can ask; each server is asked for a thing once."""

    cluster: Cluster | None
    ask: Ask
    problems: list[str] = field(default_factory=list)
    _seen: dict[str, Mapping[str, Application]] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)

    def application(self, namespace: str, name: str) -> Application | None:
        """What Argo CD says of one application; None when nobody says."""
        if self.cluster is None:
            return None
        if namespace not in self._seen:
            try:
                self._seen[namespace] = self.cluster.applications(namespace)
            except UsageError as error:
                self._seen[namespace] = {}
                self.problems.append(str(error))
        return self._seen[namespace].get(name)

    def answer(
        self, address: str, question: Question, window: int, time: int
    ) -> Sequence[Series] | None:
        """The raw samples of a question; None when they cannot be had whole.

        A server that does not answer is not asked again: each time would take as long.
        """
        if address in self._silent:
            return None
        try:
            return self.ask(address, promql(question, window), time)
        except UsageError as error:
            if isinstance(error, SilentError):
                self._silent.add(address)
            self.problems.append(str(error))
            return None


def observers(environ: Mapping[str, str] | None = None) -> Observers:
    """What the environment of the process says: SLUICE_ARGOCD, and SLUICE_PROMETHEUS_*.

    Inside a cluster, Argo CD is asked there unless another word is given.
    """
    environ = os.environ if environ is None else environ
    default = "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else ""
    return Observers(open_cluster(environ.get("SLUICE_ARGOCD", default)), _asking(environ))


def _asking(environ: Mapping[str, str]) -> Ask:
    def ask(address: str, query: str, time: float) -> Sequence[Series]:
        from sluice.metrics.prometheus import Prometheus  # noqa: PLC0415  # slow, seldom wanted

        with Prometheus(address, environ) as server:
            answer = server.query(query, time)
        if answer.is_partial:
            said = f"Prometheus at {address} gives only a part of the data"
            raise UsageError(f"{said}: {answer.warnings[0]}")
        return list(answer.series)

    return ask
