"""Controllers of pods: selectors, replicas, strategies, and what may not change."""

from collections.abc import Iterable
from typing import Any

from sluice.core.kubernetes.rules.changes import check_same_selector, fixed
from sluice.core.kubernetes.rules.checks import between, one_of, share, share_of_all
from sluice.core.kubernetes.rules.configuration import CLAIM_TEMPLATE
from sluice.core.kubernetes.rules.metadata import SELECTOR
from sluice.core.kubernetes.rules.pods import TEMPLATE
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    Pointer,
    mapping,
    mappings,
    show,
    text,
    whole,
)
from sluice.core.kubernetes.rules.shape import Fields, NodeRule, each, leaf, node, required

_COUNTS: Fields = dict.fromkeys(
    ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"),
    leaf("SEM064", between(0)),
)
_DEFAULT_DEADLINE = 600


def selects(selector: object, labels: dict[str, Any]) -> bool:
    """Whether a label selector matches these labels; an empty one matches all."""
    wanted = mapping(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(term, labels) for _, term in mappings(selector, "matchExpressions"))


def _holds(term: dict[str, Any], labels: dict[str, Any]) -> bool:
    key, operator, values = text(term, "key"), text(term, "operator"), term.get("values")
    given = values if isinstance(values, list) else []
    if operator in ("In", "NotIn"):
        return (key in labels and labels[key] in given) is (operator == "In")
    return (key in labels) is (operator != "DoesNotExist")


def check_own_pods(spec: dict[str, Any], _: Context) -> Faults:
    selector = spec.get("selector")
    if selector is None:
        yield Fault("SEM061", (), "the selector is missing")
    elif isinstance(selector, dict):
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield Fault("SEM061", ("selector",), "the selector is empty")
        elif not selects(selector, mapping(spec, "template", "metadata", "labels")):
            yield Fault("SEM060", _unmatched(spec), "the template's labels do not match")


def _unmatched(spec: dict[str, Any]) -> Pointer:
    labels = mapping(spec, "template", "metadata", "labels")
    for key, value in mapping(spec, "selector", "matchLabels").items():
        if labels.get(key) != value:
            return ("selector", "matchLabels", key)
    return ("selector",)


def _check_deadline(spec: dict[str, Any], _: Context) -> Faults:
    ready, deadline = whole(spec, "minReadySeconds"), whole(spec, "progressDeadlineSeconds")
    limit = _DEFAULT_DEADLINE if deadline is None else deadline
    if (ready or 0) >= limit:
        message = f"{show(ready or 0)} s to be ready, {show(limit)} s to make progress"
        place = "minReadySeconds" if deadline is None else "progressDeadlineSeconds"
        yield Fault("SEM068", (place,), message)


def restarts(*allowed: str) -> NodeRule:
    """Which restart policies the pods of a controller may have; the default is Always."""

    def check_restart_policy(spec: dict[str, Any], _: Context) -> Faults:
        pod, here = mapping(spec, "template", "spec"), ("template", "spec")
        given = pod.get("restartPolicy") or "Always"
        if pod and isinstance(given, str) and given not in allowed:
            place = (*here, "restartPolicy") if "restartPolicy" in pod else here
            yield Fault("SEM069", place, f"restartPolicy is {show(given)}")
        if "Always" in allowed and pod.get("activeDeadlineSeconds") is not None:
            place = (*here, "activeDeadlineSeconds")
            yield Fault("SEM069", place, "pods that are replaced have no deadline")

    return check_restart_policy


def none_at_all(value: object, default: str) -> bool:
    """Whether a number or percentage is zero."""
    given = default if value is None else value
    return given == 0 or (isinstance(given, str) and given.strip("0") == "%")


def _check_room_to_roll(strategy: dict[str, Any], _: Context) -> Faults:
    rolling = mapping(strategy, "rollingUpdate")
    surge, lost = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    if none_at_all(surge, "25%") and none_at_all(lost, "25%"):
        yield Fault("SEM066", ("rollingUpdate",), "maxSurge and maxUnavailable are both zero")


def _check_room_of_daemons(strategy: dict[str, Any], _: Context) -> Faults:
    rolling = mapping(strategy, "rollingUpdate")
    surge, lost = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    if none_at_all(surge, "0%") and none_at_all(lost, "1"):
        yield Fault("SEM066", ("rollingUpdate",), "maxSurge and maxUnavailable are both zero")
    elif not none_at_all(surge, "0%") and not none_at_all(lost, "1"):
        yield Fault("SEM065", ("rollingUpdate",), "maxSurge needs maxUnavailable to be 0")


def _check_rolling_has_use(strategy: dict[str, Any], _: Context) -> Faults:
    kind = strategy.get("type")
    if kind in ("Recreate", "OnDelete") and strategy.get("rollingUpdate") is not None:
        yield Fault("SEM065", ("rollingUpdate",), f"type is {kind}")


_SHARES = {
    "maxSurge": leaf("SEM067", share),
    "maxUnavailable": leaf("SEM067", share_of_all),
    "partition": leaf("SEM064", between(0)),
}


def _strategy(*kinds: str, rules: Iterable[NodeRule] = ()) -> Fields:
    step = node(
        {"type": leaf("SEM065", one_of(*kinds)), "rollingUpdate": node(_SHARES)},
        _check_rolling_has_use,
        *rules,
    )
    return {"strategy": step, "updateStrategy": step}


_PODS: Fields = {"selector": SELECTOR, "template": TEMPLATE, **_COUNTS}
_RULES: tuple[NodeRule, ...] = (
    required("SEM060", "template"),
    check_own_pods,
    check_same_selector,
    restarts("Always"),
)
_STATEFUL = ("serviceName", "podManagementPolicy", "volumeClaimTemplates")

DEPLOYMENT = node(
    {**_PODS, **_strategy("RollingUpdate", "Recreate", rules=(_check_room_to_roll,))},
    *_RULES,
    _check_deadline,
)
REPLICA_SET = node(_PODS, *_RULES)
DAEMON_SET = node(
    {**_PODS, **_strategy("RollingUpdate", "OnDelete", rules=(_check_room_of_daemons,))}, *_RULES
)
STATEFUL_SET = node(
    {
        **_PODS,
        **_strategy("RollingUpdate", "OnDelete"),
        "podManagementPolicy": leaf("SEM065", one_of("OrderedReady", "Parallel")),
        "volumeClaimTemplates": each(CLAIM_TEMPLATE),
    },
    *_RULES,
    fixed(*_STATEFUL),
)
