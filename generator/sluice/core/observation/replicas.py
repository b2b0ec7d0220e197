"""What the cluster tells of both versions, where its state is scraped: ready replicas, restarts.

An evicted pod, or one whose node is lost, is replaced by another one: no container of it restarts.
Source: kube-state-metrics, docs/metrics/workload/deployment-metrics.md and pod-metrics.md.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from sluice.core.analysis.queries import Question
from sluice.core.analysis.samples import by_pod, cleaned, counters_by_pod, increased
from sluice.core.observation.subject import Answers, Arm, Subject
from sluice.core.rollout.model import Replicas

READY = "kube_deployment_status_replicas_ready"
RESTARTS = "kube_pod_container_status_restarts_total"
CONTAINER = "engine"
RECENT = 120
"""Seconds for which a sample of a gauge stands."""
TOGETHER = 60
"""Seconds within which restarts have one cause: a node that boots, a request that is tried again
on each replica."""
BOTH = 180
"""Seconds within which restarts of both versions have one cause, which is not the candidate."""
_QUEUE = "queuedRequests"
_OF_WORKLOAD = re.compile(r"-(?:[a-z0-9]{6,10}-[a-z0-9]{5}|[0-9]+(?:-[0-9]+)?)")


def ready_questions(subject: Subject) -> Iterator[Question]:
    """What to ask for ready replicas, of the last minutes only."""
    for arm in (subject.candidate, subject.stable):
        if (question := _ready(arm)) is not None:
            yield question
        if (gauge := arm.gauge(_QUEUE)) is not None:
            yield gauge


def restart_question(arm: Arm) -> Question | None:
    """What to ask for restarts of containers; of the whole namespace, since pods have any name."""
    namespace = arm.labels.get("namespace")
    if namespace is None or not arm.workload[0]:
        return None
    return Question(RESTARTS, {**arm.everywhere, "namespace": namespace, "container": (CONTAINER,)})


def replicas_of(subject: Subject, answers: Answers, now: int) -> Replicas:
    """How many replicas of both versions are ready now.

    Where the cluster does not tell, as many as have told anything lately.
    """
    candidate, stable = (
        ready_replicas(arm, answers, now) for arm in (subject.candidate, subject.stable)
    )
    return Replicas(candidate, stable, subject.most, subject.scaled)


def _ready(arm: Arm) -> Question | None:
    name, kind = arm.workload
    namespace = arm.labels.get("namespace")
    if kind != "Deployment" or not name or namespace is None:
        return None
    return Question(READY, {**arm.everywhere, "namespace": namespace, "deployment": (name,)})


def ready_replicas(arm: Arm, answers: Answers, now: int) -> int | None:
    """How many replicas of a version are ready now; None where nobody tells."""
    question = _ready(arm)
    if question is not None:
        latest = [_latest(samples, now) for _, samples in answers(question)]
        told = [value for value in latest if value is not None]
        if told:
            return int(max(told))
    gauge = arm.gauge(_QUEUE)
    pods = by_pod(answers(gauge)) if gauge is not None else {}
    telling = sum(
        any(_latest(samples, now) is not None for _, samples in own) for own in pods.values()
    )
    return telling or None


def _latest(samples: Sequence[tuple[float, float]], now: int) -> float | None:
    found = cleaned(samples, now)
    return found[-1][1] if found and now - found[-1][0] <= RECENT else None


def container_restarts(
    arm: Arm, answers: Answers, begin: int, now: int
) -> dict[str, list[float]] | None:
    """When containers of a version restarted since `begin`, by pod; None where nobody tells."""
    question = restart_question(arm)
    if question is None:
        return None
    own = [each for each in answers(question) if is_of(each[0].get("pod", ""), arm.workload[0])]
    if not own:
        return None
    found: dict[str, list[float]] = {}
    for pod, counters in counters_by_pod(own).items():
        for _, samples in counters:
            since = [sample for sample in cleaned(samples, now) if sample[0] >= begin]
            found.setdefault(pod, []).extend(increased(since))
    return found


def is_of(pod: str, workload: str) -> bool:
    """Whether a pod has the name that a workload gives to its pods."""
    rest = pod.removeprefix(workload)
    return rest != pod and _OF_WORKLOAD.fullmatch(rest) is not None


def own_restarts(
    candidate: Mapping[str, Sequence[float]], stable: Mapping[str, Sequence[float]]
) -> list[float]:
    """Restarts that are the candidate's own doing, in order.

    Args:
        candidate: when its processes began anew, by pod. Those of several pods at once are one.
        stable: the same of the stable version.
    """
    others = [time for times in stable.values() for time in times]
    found: list[tuple[float, str]] = []
    for time, pod in sorted((time, pod) for pod, times in candidate.items() for time in times):
        if any(abs(time - other) <= BOTH for other in others):
            continue
        if not any(time - earlier <= TOGETHER and pod != beside for earlier, beside in found):
            found.append((time, pod))
    return [time for time, _ in found]
