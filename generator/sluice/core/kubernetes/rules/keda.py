"""ScaledObjects: bounds and triggers, as the operator and its webhook read them."""

import re
from typing import Any

from sluice.core.kubernetes.rules import cron
from sluice.core.kubernetes.rules.checks import between, one_of
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
    whole,
)
from sluice.core.kubernetes.rules.scaling import BEHAVIOR
from sluice.core.kubernetes.rules.shape import each, leaf, node, required, unique

_DEFAULT_MOST = 100
_NEEDS: dict[str, tuple[str, ...]] = {
    "prometheus": ("serverAddress", "query", "threshold"),
    "cron": ("timezone", "start", "end", "desiredReplicas"),
    "cpu": ("value",),
    "memory": ("value",),
    "redis": ("listName",),
    "rabbitmq": ("queueName",),
    "metrics-api": ("url", "valueLocation"),
    "kubernetes-workload": ("podSelector",),
}
_NUMBER = (re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"), "a number")
_COUNT = (re.compile(r"[0-9]{1,9}"), "a whole number")
_READ = {
    "threshold": _NUMBER,
    "activationThreshold": _NUMBER,
    "desiredReplicas": _COUNT,
    "serverAddress": (re.compile(r"https?://\S+"), "an address that begins with http(s)://"),
    "ignoreNullValues": (re.compile("(?i:true|false)"), "true or false"),
}
_OF_NODES = ("cpu", "memory")
_NEVER_CACHED = (*_OF_NODES, "cron")
_LONGEST = 63
_PREFIX = "keda-hpa-"


def _check_bounds(spec: dict[str, Any], _: Context) -> Faults:
    least, most = whole(spec, "minReplicaCount"), whole(spec, "maxReplicaCount")
    lowest = 0 if least is None else max(least, 1)
    highest = _DEFAULT_MOST if most is None else most
    if lowest > highest:
        message = f"{show(lowest)} is above maxReplicaCount {show(highest)}"
        yield Fault("SEM116", ("minReplicaCount",), message)
    idle = whole(spec, "idleReplicaCount")
    if idle is not None and idle >= lowest:
        message = f"{show(idle)} is not below minReplicaCount {show(lowest)}"
        yield Fault("SEM116", ("idleReplicaCount",), message)


def _check_triggers(spec: dict[str, Any], _: Context) -> Faults:
    kinds = [text(trigger, "type") for _, trigger in mappings(spec, "triggers")]
    if not kinds:
        yield Fault("SEM117", (), "there is no trigger")
    elif set(kinds) <= set(_OF_NODES) and not whole(spec, "minReplicaCount"):
        yield Fault("SEM116", (), "cpu and memory cannot wake what is at zero: set minReplicaCount")


def _check_cache(trigger: dict[str, Any], _: Context) -> Faults:
    if trigger.get("useCachedMetrics") is True and text(trigger, "type") in _NEVER_CACHED:
        yield Fault("SEM118", ("useCachedMetrics",), f"{text(trigger, 'type')} has no cache")


def _check_name(scaled: dict[str, Any], _: Context) -> Faults:
    name = text(scaled.get("metadata"), "name")
    config = mapping(scaled, "spec", "advanced", "horizontalPodAutoscalerConfig")
    longest = _LONGEST if config.get("name") else _LONGEST - len(_PREFIX)
    if len(name) > longest:
        message = f"{show(name)} has {len(name)} characters; a ScaledObject may have {longest}"
        yield Fault("SEM001", ("metadata", "name"), message)


def _check_fallback(spec: dict[str, Any], _: Context) -> Faults:
    if spec.get("fallback") is None:
        return
    usable = any(
        text(trigger, "type") not in _OF_NODES
        and trigger.get("metricType") in (None, "", "AverageValue")
        for _, trigger in mappings(spec, "triggers")
    )
    if not usable:
        yield Fault("SEM119", ("fallback",), "no trigger that a fallback can stand in for")


def _check_needed_fields(trigger: dict[str, Any], _: Context) -> Faults:
    kind, metadata = text(trigger, "type"), trigger.get("metadata")
    given = metadata if isinstance(metadata, dict) else {}
    for field in _NEEDS.get(kind, ()):
        if given.get(field) in (None, "") and given.get(f"{field}FromEnv") is None:
            yield Fault("SEM117", ("metadata",), f"{kind} needs {field}")


def _check_readable_fields(trigger: dict[str, Any], context: Context) -> Faults:
    metadata = trigger.get("metadata")
    for field, value in metadata.items() if isinstance(metadata, dict) else ():
        pattern, wanted = _READ.get(field, (None, "")) if isinstance(field, str) else (None, "")
        if isinstance(value, str) and pattern and value and not pattern.fullmatch(value):
            yield Fault("SEM118", ("metadata", field), f"{show(value)} is not {wanted}")
    if text(trigger, "type") == "cron":
        yield from _check_times(metadata, context)


def _check_times(metadata: object, context: Context) -> Faults:
    for field in ("start", "end"):
        wrong = cron.schedule(text(metadata, field)) if text(metadata, field) else None
        if wrong:
            yield Fault("SEM118", ("metadata", field), wrong)
    zone = text(metadata, "timezone")
    wrong = cron.zone(zone, context.zones) if zone else None
    if wrong:
        yield Fault("SEM118", ("metadata", "timezone"), wrong)


SCALED_OBJECT = node(
    {
        "scaleTargetRef": node({}, required("SEM117", "name")),
        "pollingInterval": leaf("SEM116", between(1)),
        "cooldownPeriod": leaf("SEM116", between(0)),
        "idleReplicaCount": leaf("SEM116", between(0)),
        "minReplicaCount": leaf("SEM116", between(0)),
        "maxReplicaCount": leaf("SEM116", between(1)),
        "fallback": node(
            {
                "failureThreshold": leaf("SEM116", between(0)),
                "replicas": leaf("SEM116", between(0)),
            }
        ),
        "advanced": node({"horizontalPodAutoscalerConfig": node({"behavior": BEHAVIOR})}),
        "triggers": each(
            node(
                {"metricType": leaf("SEM118", one_of("AverageValue", "Value", "Utilization"))},
                required("SEM117", "type"),
                _check_needed_fields,
                _check_readable_fields,
                _check_cache,
            )
        ),
    },
    required("SEM117", "scaleTargetRef"),
    unique("SEM117", "triggers", "name"),
    _check_bounds,
    _check_triggers,
    _check_fallback,
)
NAMED = (_check_name,)
