"""Canaries and the metrics that they are judged by, as their controller reads them."""

import re
from itertools import pairwise
from typing import Any

from sluice.core.kubernetes.rules.checks import between, words
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
)
from sluice.core.kubernetes.rules.shape import each, exactly_one, leaf, node, required

_PERIOD = re.compile(r"[0-9]+[ms]")
_BUILT_IN = ("request-success-rate", "request-duration")
_HUNDRED = 100


def _period(value: str) -> str | None:
    """Hours are not among what the definition of the kind takes."""
    if _PERIOD.fullmatch(value):
        return None
    return f"{show(value)} is no whole number of minutes or seconds, such as 10m"


def _check_weights(analysis: dict[str, Any], _: Context) -> Faults:
    weights = analysis.get("stepWeights")
    numbers = [w for w in weights if isinstance(w, int)] if isinstance(weights, list) else []
    for index, (low, high) in enumerate(pairwise(numbers), 1):
        if high <= low:
            message = f"{show(high)} is not above {show(low)}, where it would stay for ever"
            yield Fault("SEM178", ("stepWeights", index), message)
    if analysis.get("match") and not analysis.get("iterations"):
        yield Fault("SEM178", ("match",), "without iterations it is given shares of these requests")


def _check_metric(metric: dict[str, Any], _: Context) -> Faults:
    has_query = metric.get("query") or metric.get("templateRef")
    if not has_query and text(metric, "name") not in _BUILT_IN:
        yield Fault(
            "SEM179", (), f"neither query nor templateRef, and not {' or '.join(_BUILT_IN)}"
        )


def _check_target(spec: dict[str, Any], _: Context) -> Faults:
    provider, service = text(spec, "provider"), mapping(spec, "service")
    if provider.startswith("gatewayapi") and not list(mappings(service, "gatewayRefs")):
        yield Fault("SEM178", ("service",), "the Gateway API needs gatewayRefs")
    if provider == "nginx" and not spec.get("ingressRef"):
        yield Fault("SEM178", (), "nginx needs ingressRef")


def _check_source(spec: dict[str, Any], _: Context) -> Faults:
    provider = mapping(spec, "provider")
    if text(provider, "type") == "prometheus" and not provider.get("address"):
        yield Fault("SEM179", ("provider",), "prometheus needs an address")


_WEIGHT = leaf("SEM178", between(0, _HUNDRED))
_ANALYSIS = node(
    {
        "interval": leaf("SEM178", words(_period)),
        "maxWeight": _WEIGHT,
        "stepWeight": _WEIGHT,
        "stepWeights": each(_WEIGHT),
        "threshold": leaf("SEM178", between(0)),
        "iterations": leaf("SEM178", between(0)),
        "metrics": each(node({"interval": leaf("SEM178", words(_period))}, _check_metric)),
    },
    exactly_one("SEM178", "stepWeight", "stepWeights", "iterations"),
    _check_weights,
)
CANARY = node(
    {
        "targetRef": node({}, required("SEM178", "kind", "name")),
        "analysis": _ANALYSIS,
    },
    required("SEM178", "targetRef"),
    _check_target,
)
METRIC_TEMPLATE = node({}, required("SEM179", "provider", "query"), _check_source)
