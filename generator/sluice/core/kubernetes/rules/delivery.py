"""What deploys and watches: applications, progressive rollouts, monitors, alerts."""

import re
from typing import Any

from sluice.core.kubernetes.rules.changes import check_same_selector
from sluice.core.kubernetes.rules.checks import between, duration, port, words
from sluice.core.kubernetes.rules.metadata import SELECTOR
from sluice.core.kubernetes.rules.pods import TEMPLATE
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
    texts,
    whole,
)
from sluice.core.kubernetes.rules.shape import (
    NodeRule,
    Step,
    each,
    exactly_one,
    leaf,
    node,
    required,
)
from sluice.core.kubernetes.rules.workloads import check_own_pods, restarts

_TOOLS = ("helm", "kustomize", "directory", "plugin")
_OPTIONS = frozenset(
    (
        "ApplyOutOfSyncOnly",
        "ClientSideApplyMigration",
        "CreateNamespace",
        "Delete",
        "FailOnSharedResource",
        "Force",
        "Prune",
        "PruneLast",
        "PrunePropagationPolicy",
        "Replace",
        "RespectIgnoreDifferences",
        "ServerSideApply",
        "ServerSideDiff",
        "SkipDryRunOnMissingResource",
        "Validate",
    )
)
_STEP_KINDS = (
    "setWeight",
    "pause",
    "experiment",
    "analysis",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
)
_ALONE = _STEP_KINDS[:4]
_BY_SERVICES = ("alb", "istio", "smi", "apisix", "ambassador", "nginx", "appMesh", "traefik")
_HUNDRED = 100
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PERIOD = re.compile(r"(?:[0-9]{1,9}(?:ms|[smhdwy]))+|0")


def _check_source(source: dict[str, Any], _: Context) -> Faults:
    if not source.get("path") and not source.get("chart") and not source.get("ref"):
        yield Fault("SEM150", (), "neither path nor chart is set")
    if source.get("path") and source.get("chart"):
        yield Fault("SEM156", ("path",), "chart is set, and path is ignored")
    if source.get("chart") and not source.get("targetRevision"):
        yield Fault("SEM150", (), "a chart needs targetRevision")
    tools = [tool for tool in _TOOLS if source.get(tool)]
    if len(tools) > 1:
        yield Fault("SEM150", (tools[1],), f"{tools[0]} is set too; only one may be")


def _check_sources(spec: dict[str, Any], _: Context) -> Faults:
    if not any(spec.get(key) for key in ("source", "sources", "sourceHydrator")):
        yield Fault("SEM150", (), "none of source, sources and sourceHydrator is set")
    if spec.get("source") and spec.get("sources"):
        yield Fault("SEM156", ("source",), "sources is set, and source is ignored")


def _check_options(policy: dict[str, Any], _: Context) -> Faults:
    for index, option in texts(policy, "syncOptions"):
        name, equals, _value = option.partition("=")
        if not equals or name not in _OPTIONS:
            yield Fault("SEM152", ("syncOptions", index), f"{show(option)} is not known")


def _check_step(step: dict[str, Any], _: Context) -> Faults:
    given = [key for key in _STEP_KINDS if step.get(key) is not None]
    alone = [key for key in given if key in _ALONE]
    if not given:
        yield Fault("SEM153", (), f"none of {', '.join(_STEP_KINDS)} is set")
    elif len(alone) > 1:
        yield Fault("SEM153", (alone[1],), f"{alone[0]} is set in the same step")


def _check_canary(canary: dict[str, Any], _: Context) -> Faults:
    routing = mapping(canary, "trafficRouting")
    needy = [key for key in _BY_SERVICES if routing.get(key) is not None]
    split = mapping(routing, "istio").get("destinationRule") is not None
    free = canary.get("pingPong") is not None or (needy == ["istio"] and split)
    for key in ("stableService", "canaryService") if needy and not free else ():
        if not canary.get(key):
            yield Fault("SEM153", (), f"trafficRouting needs {key}")
    if canary.get("stableService") and canary["stableService"] == canary.get("canaryService"):
        yield Fault("SEM153", ("canaryService",), "it is the stableService as well")


def _check_weights(canary: dict[str, Any], _: Context) -> Faults:
    most = whole(mapping(canary, "trafficRouting"), "maxTrafficWeight")
    highest = _HUNDRED if most is None else most
    for index, step in mappings(canary, "steps"):
        weight = whole(step, "setWeight")
        if weight is not None and not 0 <= weight <= highest:
            message = f"{show(weight)} is not from 0 to {show(highest)}"
            yield Fault("SEM153", ("steps", index, "setWeight"), message)
        if step.get("setCanaryScale") is not None and not canary.get("trafficRouting"):
            place = ("steps", index, "setCanaryScale")
            yield Fault("SEM153", place, "setCanaryScale needs trafficRouting")


def _check_two_services(strategy: dict[str, Any], _: Context) -> Faults:
    active = strategy.get("activeService")
    if active and active == strategy.get("previewService"):
        yield Fault("SEM153", ("previewService",), "it is the activeService as well")


def _check_rollout(spec: dict[str, Any], context: Context) -> Faults:
    if spec.get("template") is not None and spec.get("workloadRef") is not None:
        yield Fault("SEM153", ("workloadRef",), "template is set too; only one may be")
    for rule in _OF_WORKLOADS if spec.get("template") is not None else ():
        yield from rule(spec, context)


def _check_endpoint(endpoint: dict[str, Any], _: Context) -> Faults:
    every, within = text(endpoint, "interval"), text(endpoint, "scrapeTimeout")
    for key, value in (("interval", every), ("scrapeTimeout", within)):
        if value and not _PERIOD.fullmatch(value):
            yield Fault("SEM154", (key,), f"{show(value)} is no length of time such as 30s")
    if every and within and _seconds(within) > _seconds(every):
        yield Fault("SEM154", ("scrapeTimeout",), f"{show(within)} is longer than the interval")


def _seconds(value: str) -> float:
    parts = re.findall(r"([0-9]{1,9})(ms|[smhdwy])", value)
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _check_alert(rule: dict[str, Any], _: Context) -> Faults:
    record = text(rule, "record")
    if record and not _METRIC.fullmatch(record):
        yield Fault("SEM155", ("record",), f"{show(record)} is no name of a metric")
    for key in ("for", "annotations") if record else ():
        if rule.get(key):
            yield Fault("SEM155", (key,), f"a record has no {key}")


def _check_groups(spec: dict[str, Any], _: Context) -> Faults:
    names = set()
    for index, group in mappings(spec, "groups"):
        name = text(group, "name")
        if name in names:
            yield Fault("SEM155", ("groups", index, "name"), f"{show(name)} stands twice")
        names.add(name)


_OF_WORKLOADS: tuple[NodeRule, ...] = (check_own_pods, check_same_selector, restarts("Always"))
_SOURCE = node({}, required("SEM150", "repoURL"), _check_source)
_BACKOFF = node({"duration": leaf("SEM150", words(duration))})
APPLICATION = node(
    {
        "source": _SOURCE,
        "sources": each(_SOURCE),
        "destination": node({}, exactly_one("SEM151", "server", "name")),
        "syncPolicy": node({"retry": node({"backoff": _BACKOFF})}, _check_options),
    },
    required("SEM150", "project"),
    required("SEM151", "destination"),
    _check_sources,
)
_STEPS = each(node({}, _check_step))
ROLLOUT = node(
    {
        "replicas": leaf("SEM153", between(0)),
        "selector": SELECTOR,
        "template": TEMPLATE,
        "strategy": node(
            {
                "canary": node({"steps": _STEPS}, _check_canary, _check_weights),
                "blueGreen": node({}, required("SEM153", "activeService"), _check_two_services),
            },
            exactly_one("SEM153", "canary", "blueGreen"),
        ),
    },
    required("SEM153", "strategy"),
    _check_rollout,
)
_ENDPOINTS: Step = each(
    node(
        {"portNumber": leaf("SEM154", port)},
        _check_endpoint,
    )
)
MONITOR = node(
    {"selector": SELECTOR, "endpoints": _ENDPOINTS, "podMetricsEndpoints": _ENDPOINTS},
    required("SEM154", "selector"),
)
ALERTS = node(
    {
        "groups": each(
            node(
                {
                    "rules": each(
                        node(
                            {},
                            exactly_one("SEM155", "alert", "record"),
                            required("SEM155", "expr"),
                            _check_alert,
                        )
                    )
                },
                required("SEM155", "name"),
            )
        )
    },
    _check_groups,
)
