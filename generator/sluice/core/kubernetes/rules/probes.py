"""Probes and what runs when a container starts or stops."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, one_of, port, port_or_name
from sluice.core.kubernetes.rules.problem import (
    Context,
    Finds,
    Found,
    Rule,
    mapping,
    mappings,
    whole,
)
from sluice.core.kubernetes.rules.shape import Fields, exactly_one, leaf, node, required

RULES = {
    "SEM023": Rule("not exactly one way to probe", "keep one of exec, httpGet, tcpSocket and grpc"),
    "SEM024": Rule("a probe's number below its least", "use a number that is not negative"),
    "SEM025": Rule(
        "more than one success needed", "a liveness or startup probe succeeds at the first success"
    ),
    "SEM026": Rule("a probe or hook that cannot be asked", "give it a port, a path, a command"),
    "SEM028": Rule(
        "an init container with probes or hooks",
        "only a sidecar has them: give it restartPolicy: Always, or remove them",
    ),
    "SEM029": Rule(
        "not exactly one thing to do at start or stop",
        "keep one of exec, httpGet, tcpSocket and sleep",
    ),
}

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_WAYS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")

_HANDLERS: Fields = {
    "exec": node({}, required("SEM026", "command")),
    "httpGet": node(
        {
            "port": leaf("SEM026", port_or_name),
            "scheme": leaf("SEM026", one_of("HTTP", "HTTPS")),
        },
        required("SEM026", "port"),
    ),
    "tcpSocket": node({"port": leaf("SEM026", port_or_name)}, required("SEM026", "port")),
    "grpc": node({"port": leaf("SEM026", port)}, required("SEM026", "port")),
}
_NUMBERS: Fields = {
    **dict.fromkeys(
        (
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ),
        leaf("SEM024", between(0)),
    ),
    "terminationGracePeriodSeconds": leaf("SEM024", between(1)),
}


def _one_success(probe: dict[str, Any], _: Context) -> Finds:
    count = whole(probe, "successThreshold")
    if count is not None and count > 1:
        yield Found("SEM025", ("successThreshold",), f"{count} successes are asked for, not 1")


def _no_grace(probe: dict[str, Any], _: Context) -> Finds:
    if probe.get("terminationGracePeriodSeconds") is not None:
        message = "a readiness probe ends nothing, so that it has no period of grace"
        yield Found("SEM024", ("terminationGracePeriodSeconds",), message)


_FIELDS: Fields = {**_HANDLERS, **_NUMBERS}
_ONE_WAY = exactly_one("SEM023", *_WAYS)
_HOOK = node(_HANDLERS, exactly_one("SEM029", *_HOOKS))

FIELDS: Fields = {
    "livenessProbe": node(_FIELDS, _ONE_WAY, _one_success),
    "startupProbe": node(_FIELDS, _ONE_WAY, _one_success),
    "readinessProbe": node(_FIELDS, _ONE_WAY, _no_grace),
    "lifecycle": node({"postStart": _HOOK, "preStop": _HOOK}),
}


def init_containers(pod: dict[str, Any], _: Context) -> Finds:
    """Only those init containers that stay may be probed."""
    for index, container in mappings(pod, "initContainers"):
        if container.get("restartPolicy") != "Always":
            for key in (*PROBES, "lifecycle"):
                if mapping(container, key):
                    message = f"{key} of a container that runs once, before the others"
                    yield Found("SEM028", ("initContainers", index, key), message)
