"""How many pods: autoscalers and disruption budgets."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, one_of, path_segment, share_of_all, words
from sluice.core.kubernetes.rules.metadata import SELECTOR
from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mapping, show, text, whole
from sluice.core.kubernetes.rules.quantities import amount, quantity
from sluice.core.kubernetes.rules.shape import Fields, Step, each, leaf, node, required

_SOURCES = {
    "Resource": ("resource", ("averageUtilization", "averageValue")),
    "ContainerResource": ("containerResource", ("averageUtilization", "averageValue")),
    "Pods": ("pods", ("averageValue",)),
    "Object": ("object", ("value", "averageValue")),
    "External": ("external", ("value", "averageValue")),
}
_TARGETS = {
    "Utilization": "averageUtilization",
    "AverageValue": "averageValue",
    "Value": "value",
}


def _check_bounds(spec: dict[str, Any], _: Context) -> Faults:
    least, most = whole(spec, "minReplicas"), whole(spec, "maxReplicas")
    if most is not None and most < (1 if least is None else least):
        message = f"{show(most)} is below minReplicas {show(1 if least is None else least)}"
        yield Fault("SEM110", ("maxReplicas",), message)


def _check_to_zero(spec: dict[str, Any], _: Context) -> Faults:
    least = whole(spec, "minReplicas")
    if least is not None and least < 1:
        yield Fault("SEM110", ("minReplicas",), f"{show(least)} is below 1")


def _check_source(metric: dict[str, Any], _: Context) -> Faults:
    kind = text(metric, "type")
    if kind not in _SOURCES:
        yield Fault("SEM111", ("type",) if kind else (), f"{show(kind)} is no type of metric")
        return
    field, needed = _SOURCES[kind]
    for other, _fields in _SOURCES.values():
        if other != field and metric.get(other) is not None:
            yield Fault("SEM111", (other,), f"type is {kind}, and {other} belongs to another")
    if not isinstance(metric.get(field), dict):
        yield Fault("SEM111", (), f"{field} is missing")
        return
    of_containers = kind in ("Resource", "ContainerResource")
    name = text(metric[field] if of_containers else mapping(metric, field, "metric"), "name")
    if not name:
        yield Fault("SEM111", (field,), "it names no metric")
    elif not of_containers and (wrong := path_segment(name)):
        yield Fault("SEM111", (field, "metric", "name"), wrong)
    for rule in _check_target(mapping(metric, field, "target"), needed):
        yield Fault(rule.rule, (field, "target", *rule.pointer), rule.message)


def _check_target(target: dict[str, Any], needed: tuple[str, ...]) -> Faults:
    kind = text(target, "type")
    named = _TARGETS.get(kind)
    given = [key for key in needed if target.get(key) is not None]
    if named is None:
        yield Fault("SEM112", ("type",) if kind else (), f"{show(kind)} is no type of target")
    elif not given:
        yield Fault("SEM112", (), f"none of {', '.join(needed)} is set")
    elif len(given) > 1:
        yield Fault("SEM112", (given[1],), f"{given[0]} is set too; only one may be")
    for key in _TARGETS.values():
        value = target.get(key)
        worth, wrong = amount(value), quantity(value)
        if wrong or (worth is not None and worth <= 0):
            yield Fault("SEM112", (key,), wrong or f"{show(value)} is not above zero")


def _check_one_limit(spec: dict[str, Any], _: Context) -> Faults:
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield Fault("SEM114", ("maxUnavailable",), "minAvailable is set too; only one may be")


def _check_no_policies(rules: dict[str, Any], _: Context) -> Faults:
    if rules.get("policies") == []:
        yield Fault("SEM113", ("policies",), "policies is empty; leave it out for the default")


def _group(api_version: str) -> str | None:
    named = "/" in api_version
    return None if named else f"{show(api_version)} names no group of the API, as in apps/v1"


_POLICY = node(
    {
        "type": leaf("SEM113", one_of("Pods", "Percent", empty=False)),
        "value": leaf("SEM113", between(1)),
        "periodSeconds": leaf("SEM113", between(1, 1800)),
    },
    required("SEM113", "type", "value", "periodSeconds"),
)
_DIRECTION = node(
    {
        "stabilizationWindowSeconds": leaf("SEM113", between(0, 3600)),
        "selectPolicy": leaf("SEM113", one_of("Max", "Min", "Disabled", empty=False)),
        "policies": each(_POLICY),
    },
    _check_no_policies,
)
BEHAVIOR = node({"scaleUp": _DIRECTION, "scaleDown": _DIRECTION})
_COMMON: Fields = {
    "scaleTargetRef": node(
        {
            "apiVersion": leaf("SEM110", words(_group)),
            "kind": leaf("SEM110", words(path_segment)),
            "name": leaf("SEM110", words(path_segment)),
        },
        required("SEM110", "apiVersion", "kind", "name"),
    ),
    "maxReplicas": leaf("SEM110", between(1)),
}
_RULES = (required("SEM110", "scaleTargetRef", "maxReplicas"), _check_to_zero, _check_bounds)
AUTOSCALER: Step = node(
    {**_COMMON, "metrics": each(node({}, _check_source)), "behavior": BEHAVIOR}, *_RULES
)
OLD_AUTOSCALER = node(
    {**_COMMON, "targetCPUUtilizationPercentage": leaf("SEM112", between(1))}, *_RULES
)
BUDGET = node(
    {
        "minAvailable": leaf("SEM115", share_of_all),
        "maxUnavailable": leaf("SEM115", share_of_all),
        "selector": SELECTOR,
        "unhealthyPodEvictionPolicy": leaf(
            "SEM115", one_of("IfHealthyBudget", "AlwaysAllow", empty=False)
        ),
    },
    _check_one_limit,
)
