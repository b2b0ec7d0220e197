"""Argo CD's application controller with a clock that tests turn: no threads, no chance.

It polls, compares, syncs by itself, heals, retries and deletes as controller/appcontroller.go,
controller/state.go and controller/sync.go of Argo CD 3.5.7 do, with the defaults of a plain
installation. Each second it looks at every Application once, in an order that a test may choose:
what is started by events in Argo CD is started within that second here.

Left out: several sources, Helm and Kustomize, hooks, sharding, server-side apply and diff, webhooks
(a test calls `refresh`), and the time that anything takes but polling, waves, retries and deletion.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from support.argocd.applications import (
    FRESH,
    LATEST,
    PATHS,
    RECENT,
    Operation,
    State,
    is_attempted,
    retry_of,
)
from support.argocd.comparing import compared
from support.argocd.health import health, worst
from support.argocd.objects import IN_CLUSTER, Change, Data, key_of
from support.argocd.operating import NAMESPACE, Operator, key_of_application
from support.argocd.projects import forbidden_source


class ArgoCD(Operator):
    """One Argo CD."""

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
        self.ask(name, FRESH)

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
            self.later += [(at, name, 0) for name in self.names]
        due = [entry for entry in self.later if entry[0] <= self.now]
        self.later = [entry for entry in self.later if entry[0] > self.now]
        for _, name, level in due:
            self.ask(name, level)
        for name in self.order(self.names):
            if key_of_application(name) in self.cluster.objects:
                self._process(name)
                self._notice_changes()
        for name in self.states.keys() - set(self.names):
            del self.states[name]

    def _notice_changes(self) -> None:
        """A change to an object asks for a comparison of the Application that has it
        (handleObjectUpdated); one to an Application lets it be looked at."""
        changes, self.seen = self.cluster.log[self.seen :], len(self.cluster.log)
        for change in changes:
            if change.key.kind == "Application":
                self.states.setdefault(change.key.name, State())
                self.ask(change.key.name, 0)
            for name in self._owners(change):
                self.ask(name, RECENT)

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
        if self.cluster.objects[key_of_application(name)].deleting is not None:
            self.finalize(name)
            return
        level = self._due(name)
        if level:
            self._refresh(name, level)
        if self.states[name].operation is not None:
            self.operate(name)

    def _due(self, name: str) -> int:
        """How to compare, 0 when nothing asks for it (needRefreshAppStatus)."""
        state, live = self.states[name], self.cluster.objects[key_of_application(name)]
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
        rules = self.project(spec["project"])
        invalid = "its project does not exist"
        if rules is not None:
            invalid = forbidden_source(spec["project"], rules, spec)
        if invalid:
            state.conditions["InvalidSpecError"], state.sync = invalid, "Unknown"
            return
        revision, changes = self._resolve(state, spec, self._annotations(name), level)
        pairs = self.pairs(name, spec, spec["source"], revision)
        if pairs is None:
            self._note_trouble(state, spec, level)
            return
        state.troubled = None
        state.conditions.pop("ComparisonError", None)
        self.write_back(key_of_application(name))  # normalizeApplication
        resources = [compared(name, spec, pair) for pair in pairs]
        synced = all(resource.synced for resource in resources)
        state.revision, state.resources = revision, resources
        state.sync = "Synced" if synced else "OutOfSync"
        state.compared = deepcopy(_compared(self.spec(name)))
        if self.open(name):
            self._auto_sync(name, changes=changes)
        if state.reconciled is None or level >= LATEST:
            state.reconciled = self.now

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
            self.later.append((at, name, LATEST))
        return at > self.now

    def _begin(self, name: str, operation: Operation) -> None:
        """Write the operation into the Application: the whole object goes through the types
        (util/argo/argo.go, SetAppOperation), and what was known of the last one is gone."""
        state = self.states[name]
        self.write_back(key_of_application(name))
        state.operation, state.last, state.terminating = operation, None, False
        state.operations += 1

    def _annotations(self, name: str) -> Mapping[str, str]:
        found: Mapping[str, str] = (
            self.cluster.objects[key_of_application(name)].data["metadata"].get("annotations", {})
        )
        return found


def _compared(spec: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What of a spec asks for a comparison when it differs."""
    return spec["source"], spec["destination"], spec.get("ignoreDifferences")
