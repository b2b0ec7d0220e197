"""One step of one sync operation: waves, the waits for health between them, and pruning.

After gitops-engine/pkg/sync/sync_context.go (Sync, getSyncTasks, runTasks) and sync_tasks.go of
Argo CD 3.5.1 (3.5.7 has its engine from the same folder). Only the phase Sync is modelled: Sluice
renders no hooks, and one is refused here. Options that it does not render either are left out:
Replace, ServerSideApply, ApplyOutOfSyncOnly, Prune=confirm.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Literal

from support.argocd.objects import Data, Key, Live

WAVE = "argocd.argoproj.io/sync-wave"
OPTIONS = "argocd.argoproj.io/sync-options"
HOOK = "argocd.argoproj.io/hook"
KINDS = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
"""The order within a wave; other kinds come last (sync_tasks.go, kindOrder)."""

Phase = Literal["Running", "Succeeded", "Failed"]


@dataclass(frozen=True)
class Result:
    """What an operation did with an object (common.ResourceSyncResult).

    An object that was applied is `Running` until its health says otherwise, and only an operation
    of several waves ever asks.
    """

    status: Literal["Synced", "SyncFailed", "Pruned", "PruneSkipped"]
    phase: Phase
    message: str = ""


Results = MutableMapping[Key, Result]


@dataclass
class Task:
    """An object to apply, or one to prune where nothing is wanted."""

    key: Key
    target: Data | None
    live: Live | None
    wave: int
    result: Result | None = None

    @property
    def prunes(self) -> bool:
        return self.target is None

    @property
    def running(self) -> bool:
        return self.result is not None and self.result.phase == "Running"

    @property
    def failed(self) -> bool:
        return self.result is not None and self.result.phase == "Failed"


@dataclass(frozen=True)
class Pair:
    """What is wanted of an object and what there is; one of them may be missing."""

    key: Key
    target: Data | None
    live: Live | None


@dataclass(frozen=True)
class Hands:
    """What a step does to the cluster.

    Args:
        apply: apply an object; an error in words, or nothing.
        prune: mark an object for deletion.
        find: the object that there is now.
        health: the health of a live object; None where its kind has none.
        invalid: why an object can never be applied (its kind is not known here, its project does
            not permit it), or nothing.
    """

    apply: Callable[[Key, Data], str]
    prune: Callable[[Key], None]
    find: Callable[[Key], Live | None]
    health: Callable[[Key, Live], str | None]
    invalid: Callable[[Key], str]


@dataclass(frozen=True)
class Step:
    """Where an operation stands after a step; `pause` is true between two waves (2 s)."""

    phase: Phase
    message: str
    pause: bool = False


def wave_of(data: Data) -> int:
    """The wave of an object (syncwaves.Wave)."""
    text = data["metadata"].get("annotations", {}).get(WAVE, "0")
    return int(text)


def sync(
    pairs: Iterable[Pair],
    results: Results,
    hands: Hands,
    *,
    namespace: str,
    prune: bool,
    prune_last: bool,
) -> Step:
    """Take an operation one step further.

    Args:
        pairs: every object of the Application, wanted or live.
        results: what this operation did so far; it is changed.
        hands: what acts.
        namespace: the Application's destination, which is created before anything else.
        prune: whether objects that are not wanted any more are deleted.
        prune_last: the option PruneLast=true of the Application.
    """
    tasks = _tasks(pairs, results, prune_last=prune_last)
    if _note_invalid(tasks, results, hands):
        return Step("Failed", f"one or more synchronization tasks are not valid: {_why(results)}")
    if not results:  # the dry run is the client's: it sees no admission and no missing namespace
        _create_namespace(tasks, results, hands, namespace)
    _ask_health(tasks, results, hands)

    stopped = _stopped(tasks, results, hands)
    return stopped or _run_next_wave(tasks, results, hands, prune=prune)


def _stopped(tasks: Sequence[Task], results: Results, hands: Hands) -> Step | None:
    """What keeps an operation from its next wave: health, deletions under way, or a failure."""
    waited = [task for task in tasks if task.running] if _is_multi_step(tasks) else []
    for task in waited:
        if task.live is None and hands.find(task.key) is None:
            message = f"Resource {task.key} is missing, it might have been deleted"
            results[task.key] = Result("SyncFailed", "Failed", message)
    if waited:
        return Step("Running", _waiting("healthy state of", waited))
    leaving = [task for task in tasks if _is_leaving(task)]
    if leaving:
        return Step("Running", _waiting("deletion of", leaving))
    if any(task.failed for task in tasks):
        said = "one or more synchronization tasks completed unsuccessfully"
        return Step("Failed", f"{said}, reason: {_why(results)}")
    return None


def _run_next_wave(tasks: Sequence[Task], results: Results, hands: Hands, *, prune: bool) -> Step:
    """Prune and apply the first wave that nothing was done with yet."""
    pending = [task for task in tasks if task.result is None]
    if not pending:
        return Step("Succeeded", "successfully synced (no more tasks)")
    current = [task for task in pending if task.wave == pending[0].wave]
    rest = [task for task in pending if task.wave != pending[0].wave]
    for task in sorted(current, key=lambda task: not task.prunes):  # prunes first, stable
        results[task.key] = _run(task, hands, prune=prune)
    if any(results[task.key].phase == "Failed" for task in current):
        return Step("Failed", f"one or more objects failed to apply, reason: {_why(results)}")
    if not rest:  # "EVEN if those objects subsequently degrades"
        return Step("Succeeded", "successfully synced (all tasks run)")
    return Step("Running", _waiting("healthy state of", current), pause=True)


def _tasks(pairs: Iterable[Pair], results: Mapping[Key, Result], *, prune_last: bool) -> list[Task]:
    """What is to be done, in order (getSyncTasks)."""
    tasks = [_task(pair) for pair in pairs]
    _turn_round([task for task in tasks if task.prunes])
    last = max([0, *(task.wave for task in tasks)]) + 1
    for task in tasks:
        if task.prunes and (prune_last or _has_option(task, "PruneLast=true")):
            task.wave = last
    tasks.sort(key=_order)
    _lift_namespaces(tasks)
    for task in tasks:
        task.result = results.get(task.key)
    return tasks


def _task(pair: Pair) -> Task:
    if pair.target is not None:
        data = pair.target
    elif pair.live is not None:
        data = pair.live.data
    else:
        raise ValueError(f"{pair.key} is neither wanted nor there")
    if HOOK in data["metadata"].get("annotations", {}):
        raise NotImplementedError(f"{pair.key} is a hook, which this model does not know")
    return Task(pair.key, pair.target, pair.live, wave_of(data))


def _turn_round(prunes: Sequence[Task]) -> None:
    """Prune in the reverse order of waves: the first swaps with the last, and so on."""
    waves = sorted({task.wave for task in prunes})
    other = dict(zip(waves, reversed(waves), strict=True))
    for task in prunes:
        task.wave = other[task.wave]


def _has_option(task: Task, option: str) -> bool:
    """Whether the live object has an option in its annotation."""
    annotations = task.live.data["metadata"].get("annotations", {}) if task.live else {}
    return option in [text.strip() for text in annotations.get(OPTIONS, "").split(",")]


def _order(task: Task) -> tuple[int, int, str]:
    place = KINDS.index(task.key.kind) - len(KINDS) if task.key.kind in KINDS else 0
    return task.wave, place, task.key.name


def _lift_namespaces(tasks: list[Task]) -> None:
    """A namespace comes before, and in the wave of, the first object in it (adjustDeps)."""
    for namespace in [t for t in tasks if t.key.kind == "Namespace" and not t.prunes]:
        inside = [t for t in tasks if t.key.namespace == namespace.key.name and not t.prunes]
        if inside and tasks.index(inside[0]) < tasks.index(namespace):
            namespace.wave = inside[0].wave
            tasks.remove(namespace)
            tasks.insert(tasks.index(inside[0]), namespace)


def _note_invalid(tasks: Sequence[Task], results: Results, hands: Hands) -> bool:
    """One object that can never be applied stops all others, before anything is applied."""
    reasons = {task.key: reason for task in tasks if (reason := hands.invalid(task.key))}
    for key, reason in reasons.items():
        results[key] = Result("SyncFailed", "Failed", reason)
    return bool(reasons)


def _create_namespace(
    tasks: Sequence[Task], results: Results, hands: Hands, namespace: str
) -> None:
    """The Application's own namespace is there before anything is tried."""
    for task in tasks:
        if task.live is None and task.key.kind == "Namespace" and task.key.name == namespace:
            task.result = results[task.key] = _run(task, hands, prune=False)


def _ask_health(tasks: Sequence[Task], results: Results, hands: Hands) -> None:
    """Running tasks end by the health of their objects: Degraded is a failure."""
    for task in tasks:
        if task.result is None or not task.running or task.live is None:
            continue
        verdict = hands.health(task.key, task.live)
        if verdict in (None, "Healthy"):
            task.result = results[task.key] = Result("Synced", "Succeeded", task.result.message)
        elif verdict == "Degraded":
            task.result = results[task.key] = Result("Synced", "Failed", f"{task.key} is degraded")


def _is_multi_step(tasks: Sequence[Task]) -> bool:
    """Whether there is more than one wave, done ones included: only then is health waited for."""
    return bool(tasks) and tasks[0].wave != tasks[-1].wave


def _is_leaving(task: Task) -> bool:
    pruned = task.result is not None and task.result.status == "Pruned"
    return pruned and task.live is not None and task.live.deleting is not None


def _run(task: Task, hands: Hands, *, prune: bool) -> Result:
    if task.target is not None:
        error = hands.apply(task.key, task.target)
        return Result("SyncFailed", "Failed", error) if error else Result("Synced", "Running")
    if not prune or _has_option(task, "Prune=false"):
        return Result("PruneSkipped", "Succeeded", "ignored")
    hands.prune(task.key)
    return Result("Pruned", "Succeeded", "pruned")


def _waiting(reason: str, tasks: Sequence[Task]) -> str:
    more = f" and {len(tasks) - 1} more resources" if len(tasks) > 1 else ""
    return f"waiting for {reason} {tasks[0].key}{more}"


def _why(results: Mapping[Key, Result]) -> str:
    return "; ".join(sorted({r.message for r in results.values() if r.phase == "Failed"}))
