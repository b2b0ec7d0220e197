"""Probes and what runs when a container starts or stops."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, one_of, port, port_or_name
from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mapping, mappings, whole
from sluice.core.kubernetes.rules.shape import Fields, exactly_one, leaf, node, required

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


def _check_one_success(probe: dict[str, Any], _: Context) -> Faults:
    count = whole(probe, "successThreshold")
    if count is not None and count > 1:
        yield Fault("SEM025", ("successThreshold",), f"{count} successes are asked for, not 1")


def _check_no_grace(probe: dict[str, Any], _: Context) -> Faults:
    if probe.get("terminationGracePeriodSeconds") is not None:
        message = "a readiness probe ends nothing, so that it has no period of grace"
        yield Fault("SEM024", ("terminationGracePeriodSeconds",), message)


_FIELDS: Fields = {**_HANDLERS, **_NUMBERS}
_ONE_WAY = exactly_one("SEM023", *_WAYS)
_HOOK = node(_HANDLERS, exactly_one("SEM029", *_HOOKS))

FIELDS: Fields = {
    "livenessProbe": node(_FIELDS, _ONE_WAY, _check_one_success),
    "startupProbe": node(_FIELDS, _ONE_WAY, _check_one_success),
    "readinessProbe": node(_FIELDS, _ONE_WAY, _check_no_grace),
    "lifecycle": node({"postStart": _HOOK, "preStop": _HOOK}),
}


def check_init_containers(pod: dict[str, Any], _: Context) -> Faults:
    """Only those init containers that stay may be probed."""
    for index, container in mappings(pod, "initContainers"):
        if container.get("restartPolicy") != "Always":
            for key in (*PROBES, "lifecycle"):
                if mapping(container, key):
                    message = f"{key} of a container that runs once, before the others"
                    yield Fault("SEM028", ("initContainers", index, key), message)
