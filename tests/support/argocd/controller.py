"""Argo CD's application controller with a clock that tests turn: no threads, no chance.

It polls, compares, syncs by itself, heals, retries and deletes as controller/appcontroller.go,
controller/state.go and controller/sync.go of Argo CD 3.5.7 do, with the defaults of a plain
installation. Each second it looks at every Application once, in an order that a test may choose:
what is started by events in Argo CD is started within that second here.

Left out: several sources, Helm and Kustomize, hooks, sharding, server-side apply and diff, webhooks
(a test calls `refresh`), and the time that anything takes but polling, waves, retries and deletion.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from support.argocd.applications import (
    FINALIZER,
    FRESH,
    LATEST,
    PATHS,
    RECENT,
    Operation,
    State,
    first_to_delete,
    is_attempted,
    retry_of,
)
from support.argocd.comparing import compared, pairs_of, respected
from support.argocd.health import Doctor, health, worst
from support.argocd.normal import NEWEST, Version, normalised
from support.argocd.objects import IN_CLUSTER, Change, Cluster, Data, Key, key_of
from support.argocd.projects import Rules, forbidden_object, forbidden_source
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
class ArgoCD:
    """One Argo CD.

    Args:
        repository: what it reads.
        cluster: what it writes.
        doctor: the health of objects.
        order: the order in which it looks at Applications in a second.
        open: whether the sync windows let an Application sync by itself now.
    """

    repository: Repository
    cluster: Cluster = field(default_factory=Cluster)
    doctor: Doctor = lambda key, live: ""  # noqa: ARG005  # by position
    order: Callable[[Sequence[str]], Sequence[str]] = sorted
    open: Callable[[str], bool] = lambda name: True  # noqa: ARG005  # by position
    settings: Settings = Settings()
    now: int = 0
    states: dict[str, State] = field(default_factory=dict)
    _later: list[tuple[int, str, int]] = field(default_factory=list)
    _seen: int = 0

    def create(self, application: Data) -> None:
        """Put an object of Argo CD's own into its cluster by hand, as `kubectl apply` does."""
        error = self.cluster.apply(key_of(application, IN_CLUSTER, NAMESPACE), application)
        assert not error, error

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self._tick()

    def refresh(self, name: str) -> None:
        """Ask for a comparison with the branch as it is (annotation `refresh`, or a webhook)."""
        self._ask(name, FRESH)

    def terminate(self, name: str) -> None:
        """End the operation of an Application, as a person does."""
        self.states[name].terminating = self.states[name].operation is not None

    @property
    def longest_poll(self) -> int:
        """Seconds from a push until each Application has been compared with it, at worst.

        The repo server may have looked just before, and each look may come just too early for the
        comparison before it to have expired.
        """
        settings = self.settings
        return self.repository.memory + 2 * settings.resync + settings.jitter

    @property
    def names(self) -> list[str]:
        """The Applications that there are."""
        return [key.name for key, _ in self.cluster.of_kind("Application")]

    def spec(self, name: str) -> dict[str, Any]:
        """The live spec of an Application."""
        spec: dict[str, Any] = self.cluster.objects[_key(name)].data["spec"]
        return spec

    def health(self, name: str) -> str:
        """The health of an Application now."""
        objects = self.cluster.objects
        verdicts = [
            health(r.key, objects[r.key], self.doctor)
            for r in self.states[name].resources
            if r.key in objects
        ]
        if self.states[name].resources and not verdicts:
            return "Missing"
        return worst(verdicts)

    # --- time

    def _tick(self) -> None:
        self.now += 1
        self.cluster.now = self.now
        self.cluster.expire()
        for name in self.names:
            self.states.setdefault(name, State())
        if self.now % self.settings.resync == 0:  # the informer's resync, then a jitter
            at = self.now + self.settings.jitter
            self._later += [(at, name, 0) for name in self.names]
        due = [entry for entry in self._later if entry[0] <= self.now]
        self._later = [entry for entry in self._later if entry[0] > self.now]
        for _, name, level in due:
            self._ask(name, level)
        for name in self.order(self.names):
            if _key(name) in self.cluster.objects:
                self._process(name)
                self._notice_changes()
        for name in self.states.keys() - set(self.names):
            del self.states[name]

    def _ask(self, name: str, level: int) -> None:
        state = self.states.get(name)
        if state is not None:
            state.queued, state.asked = True, max(state.asked, level)

    def _notice_changes(self) -> None:
        """A change to an object asks for a comparison of the Application that has it
        (handleObjectUpdated); one to an Application lets it be looked at."""
        changes, self._seen = self.cluster.log[self._seen :], len(self.cluster.log)
        for change in changes:
            if change.key.kind == "Application":
                self.states.setdefault(change.key.name, State())
                self._ask(change.key.name, 0)
            for name in self._owners(change):
                self._ask(name, RECENT)

    def _owners(self, change: Change) -> Iterator[str]:
        live = self.cluster.objects.get(change.key)
        if live is not None and live.owner:
            yield live.owner
        for name, state in self.states.items():
            if any(resource.key == change.key for resource in state.resources):
                yield name

    def _process(self, name: str) -> None:
        """A comparison if one is due, then the operation (processAppRefreshQueueItem, then
        processAppOperationQueueItem)."""
        if self.cluster.objects[_key(name)].deleting is not None:
            self._finalize(name)
            return
        level = self._due(name)
        if level:
            self._refresh(name, level)
        if self.states[name].operation is not None:
            self._operate(name)

    def _due(self, name: str) -> int:
        """How to compare, 0 when nothing asks for it (needRefreshAppStatus)."""
        state, live = self.states[name], self.cluster.objects[_key(name)]
        if not state.queued:
            return 0
        asked, state.queued, state.asked = state.asked, False, 0
        if asked == FRESH:
            return FRESH
        spec = live.data["spec"]
        if state.compared is None or state.compared[0] != _compared(spec)[0]:
            return FRESH
        expired = state.reconciled is None or self.now - state.reconciled > self.settings.resync
        if expired or state.compared != _compared(spec):
            return LATEST
        return asked

    # --- comparing

    def _refresh(self, name: str, level: int) -> None:
        """Compare, and start a sync where that is wanted (processAppRefreshQueueItem)."""
        state, spec = self.states[name], self.spec(name)
        state.conditions.pop("InvalidSpecError", None)
        rules = self._project(spec["project"])
        invalid = "its project does not exist"
        if rules is not None:
            invalid = forbidden_source(spec["project"], rules, spec)
        if invalid:
            state.conditions["InvalidSpecError"], state.sync = invalid, "Unknown"
            return
        revision, changes = self._resolve(state, spec, self._annotations(name), level)
        pairs = self._pairs(name, spec, spec["source"], revision)
        if pairs is None:
            self._note_trouble(state, spec, level)
            return
        state.troubled = None
        state.conditions.pop("ComparisonError", None)
        self._write_back(_key(name))  # normalizeApplication
        resources = [compared(name, spec, pair) for pair in pairs]
        synced = all(resource.synced for resource in resources)
        state.revision, state.resources = revision, resources
        state.sync = "Synced" if synced else "OutOfSync"
        state.compared = deepcopy(_compared(self.spec(name)))
        if self.open(name):
            self._auto_sync(name, changes=changes)
        if state.reconciled is None or level >= LATEST:
            state.reconciled = self.now

    def _project(self, name: str) -> Rules | None:
        """The rules of a project; none at all for the one that is always there."""
        if name == "default":
            return {}
        live = self.cluster.objects.get(_key(name, "AppProject"))
        return None if live is None else live.data["spec"]

    def _resolve(
        self,
        state: State,
        spec: Mapping[str, Any],
        annotations: Mapping[str, str],
        level: int,
    ) -> tuple[str, bool]:
        """The revision to compare with, and whether it may differ from the one compared last.

        With the annotation about paths Argo CD looks whether anything differs there since the
        revision that was *compared* last, not since the one that was synced (argo-cd#27875).
        """
        if level == RECENT and state.revision:
            return state.revision, False
        revision = self.repository.head(self.now, fresh=level == FRESH)
        if not state.revision or PATHS not in annotations:
            return revision, True
        assert annotations[PATHS] == ".", "this model knows no other paths"
        path = spec["source"]["path"]
        return revision, self.repository.changes(state.revision, revision, path)

    def _note_trouble(self, state: State, spec: Mapping[str, Any], level: int) -> None:
        """A folder that cannot be read: passed over for a while, then nothing is known."""
        if level < FRESH:
            if state.troubled is None:
                state.troubled = self.now
            if self.now - state.troubled <= self.settings.grace:
                return
        path = spec["source"]["path"]
        state.conditions["ComparisonError"] = f"{path}: app path does not exist"
        state.sync, state.compared = "Unknown", deepcopy(_compared(spec))
        state.reconciled = self.now

    def _pairs(
        self, name: str, spec: Mapping[str, Any], source: Mapping[str, Any], revision: str
    ) -> list[Pair] | None:
        """Every object that is wanted or tracked (sync.Reconcile); None without the folder."""
        wanted = self.repository.manifests(revision, source)
        return None if wanted is None else pairs_of(name, spec, wanted, self.cluster)

    def _write_back(self, key: Key) -> None:
        data = self.cluster.objects[key].data
        spec = normalised(key.kind, data["spec"], self.settings.version)
        self.cluster.edit(key, {**data, "spec": spec})

    # --- starting

    def _auto_sync(self, name: str, *, changes: bool) -> None:
        """Start a sync where an Application that may sync by itself is out of sync (autoSync)."""
        state, spec = self.states[name], self.spec(name)
        state.conditions.pop("SyncError", None)
        automated = spec.get("syncPolicy", {}).get("automated")
        if automated is None or automated.get("enabled") is False:
            return
        if state.operation is not None or state.sync != "OutOfSync":
            return
        prune, wrong = automated.get("prune", False), [r for r in state.resources if not r.synced]
        if not prune and all(resource.prunes for resource in wrong):
            return
        operation = Operation(
            revision=state.revision,
            source=deepcopy(spec["source"]),
            prune=prune,
            options=tuple(spec["syncPolicy"].get("syncOptions", ())),
            retry=retry_of(spec),
            started=self.now,
        )
        if is_attempted(state, spec, changes=changes):
            last = state.last
            assert last is not None
            if last.phase != "Succeeded":  # never again by itself, until something changes
                said = f"Failed last sync attempt to [{last.revision}]: {last.message}"
                state.conditions["SyncError"] = said
                return
            if not automated.get("selfHeal", False) or self._heals_later(name, last):
                return
            operation.heals = last.heals + 1
            operation.only = frozenset(resource.key for resource in wrong)
        if prune and all(resource.prunes for resource in state.resources):
            state.conditions["SyncError"] = "auto-sync will wipe out all resources"
            return
        self._begin(name, operation)

    def _heals_later(self, name: str, last: Operation) -> bool:
        """Whether a self-heal has to wait; then it is looked at again (selfHealRemainingBackoff).

        The count of self-heals in a row begins anew with the next revision.
        """
        settings, delay = self.settings, 0
        if last.heals:
            delay = settings.heal_delay * settings.heal_factor ** (last.heals - 1)
        at = (last.finished or self.now) + min(delay, settings.heal_longest)
        if at > self.now:
            self._later.append((at, name, LATEST))
        return at > self.now

    def _begin(self, name: str, operation: Operation) -> None:
        """Write the operation into the Application: the whole object goes through the types
        (util/argo/argo.go, SetAppOperation), and what was known of the last one is gone."""
        state = self.states[name]
        self._write_back(_key(name))
        state.operation, state.last, state.terminating = operation, None, False
        state.operations += 1

    # --- operating

    def _operate(self, name: str) -> None:
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
        self._ask(name, LATEST if operation.automated else FRESH)

    def _sync_state(self, name: str, operation: Operation) -> None:
        """Compare with the operation's own revision and sync to it (SyncAppState).

        Nothing here looks at the branch again, however long it takes.
        """
        if not self.open(name):
            operation.message = "Sync operation blocked by sync window"
            return
        spec, state = self.spec(name), self.states[name]
        operation.revision = operation.revision or self.repository.head(self.now, fresh=True)
        pairs = self._pairs(name, spec, operation.source, operation.revision)
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
        project = self._project(spec["project"]) or {}
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

    def _finalize(self, name: str) -> None:
        """Delete what an Application has, the last wave first, then the Application itself
        (finalizeApplicationDeletion)."""
        key, objects = _key(name), self.cluster.objects
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

    def _annotations(self, name: str) -> Mapping[str, str]:
        found: Mapping[str, str] = (
            self.cluster.objects[_key(name)].data["metadata"].get("annotations", {})
        )
        return found


def _key(name: str, kind: str = "Application") -> Key:
    return Key(IN_CLUSTER, "argoproj.io", kind, NAMESPACE, name)


def _compared(spec: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What of a spec asks for a comparison when it differs."""
    return spec["source"], spec["destination"], spec.get("ignoreDifferences")
