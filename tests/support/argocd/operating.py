"""The operations of Argo CD's controller: a sync step by step, its retries and its end, deletion.

After controller/appcontroller.go (processRequestedAppOperation, finalizeApplicationDeletion) and
controller/sync.go (SyncAppState) of Argo CD 3.5.7.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.argocd.applications import FINALIZER, FRESH, LATEST, Operation, State, first_to_delete
from support.argocd.comparing import pairs_of, respected
from support.argocd.health import Doctor, health
from support.argocd.normal import NEWEST, Version, normalised
from support.argocd.objects import IN_CLUSTER, Cluster, Key
from support.argocd.projects import Rules, forbidden_object
from support.argocd.repository import Repository
from support.argocd.sync import Hands, Pair, sync

NAMESPACE = "argocd"


@dataclass(frozen=True)
class Settings:
    """Times in seconds; the defaults are those of the controller's flags at 3.5.7
    (cmd/argocd-application-controller/commands/argocd_application_controller.go).

    Args:
        resync: how often each Application is looked at (--app-resync).
        jitter: how much later at most (--app-resync-jitter); always that much here, the worst.
        wave_delay: between two waves (controller/sync.go, delayBetweenSyncWaves).
        heal_delay: before the second self-heal in a row (--self-heal-backoff-timeout-seconds),
            then `heal_factor` times longer each time, up to `heal_longest`.
        grace: how long a folder that cannot be read is passed over in silence.
        version: what an Application keeps of what is written into it.
    """

    resync: int = 120
    jitter: int = 60
    wave_delay: int = 2
    heal_delay: int = 2
    heal_factor: int = 3
    heal_longest: int = 300
    grace: int = 180
    version: Version = NEWEST


@dataclass(repr=False)
class Operator:
    """What an Argo CD has, and how it operates on it.

    Args:
        repository: what it reads.
        cluster: what it writes.
        doctor: the health of objects.
        order: the order in which it looks at Applications in a second.
        open: whether the sync windows let an Application sync by itself now.
        settings: its times.
        now: its clock, in seconds.
        states: the status of each Application.
        later: when to look at an Application, and how.
        seen: how many changes of the cluster it has noticed.
    """

    repository: Repository
    cluster: Cluster = field(default_factory=Cluster)
    doctor: Doctor = lambda key, live: ""  # noqa: ARG005  # by position
    order: Callable[[Sequence[str]], Sequence[str]] = sorted
    open: Callable[[str], bool] = lambda name: True  # noqa: ARG005  # by position
    settings: Settings = Settings()
    now: int = 0
    states: dict[str, State] = field(default_factory=dict)
    later: list[tuple[int, str, int]] = field(default_factory=list)
    seen: int = 0

    @property
    def names(self) -> list[str]:
        """The Applications that there are."""
        return [key.name for key, _ in self.cluster.of_kind("Application")]

    def spec(self, name: str) -> dict[str, Any]:
        """The live spec of an Application."""
        spec: dict[str, Any] = self.cluster.objects[key_of_application(name)].data["spec"]
        return spec

    def ask(self, name: str, level: int) -> None:
        """Let an Application be looked at (requestAppRefresh)."""
        state = self.states.get(name)
        if state is not None:
            state.queued, state.asked = True, max(state.asked, level)

    def project(self, name: str) -> Rules | None:
        """The rules of a project; none at all for the one that is always there."""
        if name == "default":
            return {}
        live = self.cluster.objects.get(key_of_application(name, "AppProject"))
        return None if live is None else live.data["spec"]

    def pairs(
        self, name: str, spec: Mapping[str, Any], source: Mapping[str, Any], revision: str
    ) -> list[Pair] | None:
        """Every object that is wanted or tracked (sync.Reconcile); None without the folder."""
        wanted = self.repository.manifests(revision, source)
        return None if wanted is None else pairs_of(name, spec, wanted, self.cluster)

    def write_back(self, key: Key) -> None:
        data = self.cluster.objects[key].data
        spec = normalised(key.kind, data["spec"], self.settings.version)
        self.cluster.edit(key, {**data, "spec": spec})

    def operate(self, name: str) -> None:
        """Take the operation one step further (processRequestedAppOperation)."""
        state = self.states[name]
        operation = state.operation
        assert operation is not None
        if state.terminating:
            operation.phase, operation.message = "Failed", "Operation terminated"
            self._end(name)
            return
        if operation.paused > self.now:
            return
        if operation.finished is not None:  # an attempt failed and another one is to come
            if self.now < operation.finished + operation.retry.wait(operation.retries):
                return
            operation.finished, operation.results = None, {}
            if operation.retry.refresh:
                operation.revision = ""
        self._sync_state(name, operation)
        failed = operation.phase in ("Failed", "Error")
        if operation.phase == "Succeeded" or (failed and not self._tries_again(operation)):
            self._end(name)

    def _tries_again(self, operation: Operation) -> bool:
        limit = operation.retry.limit
        if 0 <= limit <= operation.retries:
            return False
        operation.phase, operation.finished = "Running", self.now
        operation.retries += 1
        operation.message += f". Retrying attempt #{operation.retries}."
        return True

    def _end(self, name: str) -> None:
        state = self.states[name]
        operation = state.operation
        assert operation is not None
        operation.finished = self.now
        state.operation, state.last, state.terminating = None, operation, False
        if operation.phase == "Succeeded" and operation.only is None:
            state.history.append((operation.revision, self.now))
        self.ask(name, LATEST if operation.automated else FRESH)

    def _sync_state(self, name: str, operation: Operation) -> None:
        """Compare with the operation's own revision and sync to it (SyncAppState).

        Nothing here looks at the branch again, however long it takes.
        """
        if not self.open(name):
            operation.message = "Sync operation blocked by sync window"
            return
        spec, state = self.spec(name), self.states[name]
        operation.revision = operation.revision or self.repository.head(self.now, fresh=True)
        pairs = self.pairs(name, spec, operation.source, operation.revision)
        if pairs is None or "InvalidSpecError" in state.conditions:
            operation.phase, operation.message = "Error", str(state.conditions)
            return
        only = operation.only
        chosen = [pair for pair in pairs if only is None or pair.key in only]
        step = sync(
            respected(spec, operation.options, chosen),
            operation.results,
            self._hands(name, spec),
            namespace=spec["destination"]["namespace"],
            prune=operation.prune,
            prune_last="PruneLast=true" in operation.options,
        )
        operation.phase, operation.message = step.phase, step.message
        if step.pause:
            operation.paused = self.now + self.settings.wave_delay

    def _hands(self, name: str, spec: Mapping[str, Any]) -> Hands:
        project = self.project(spec["project"]) or {}
        return Hands(
            apply=lambda key, data: self.cluster.apply(key, data, owner=name),
            prune=self.cluster.delete,
            find=self.cluster.objects.get,
            health=lambda key, live: health(key, live, self.doctor),
            invalid=lambda key: self._invalid(project, key),
        )

    def _invalid(self, project: Rules, key: Key) -> str:
        """Why an object can never be applied, or nothing."""
        if key.kind in self.cluster.unserved:
            return f"The Kubernetes API could not find {key.group}/{key.kind}"
        return forbidden_object(project, key)

    # --- deleting

    def finalize(self, name: str) -> None:
        """Delete what an Application has, the last wave first, then the Application itself
        (finalizeApplicationDeletion)."""
        key, objects = key_of_application(name), self.cluster.objects
        if FINALIZER not in objects[key].data["metadata"].get("finalizers", ()):
            self.cluster.remove(key)
            return
        tracked = {k: live for k, live in objects.items() if live.owner == name}
        if any(live.deleting is not None for live in tracked.values()):
            return
        if not tracked:
            self.cluster.remove(key)
            return
        for first in first_to_delete({k: live.data for k, live in tracked.items()}):
            self.cluster.delete(first)


def key_of_application(name: str, kind: str = "Application") -> Key:
    return Key(IN_CLUSTER, "argoproj.io", kind, NAMESPACE, name)
