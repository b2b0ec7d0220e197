"""What the API server fills into pods and their templates."""

import re
from collections.abc import Iterable
from typing import Any

from sluice.core.cel.versions import Version
from sluice.core.units import canonical

Data = dict[str, Any]

_TAG = re.compile(r":([\w][\w.-]{0,127})$")
_MODE = 0o644
_MODED = ("secret", "configMap", "downwardAPI", "projected")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("postStart", "preStop")


def default(target: Data, /, **values: Any) -> Data:  # noqa: ANN401  # plain data
    """Fill in what is absent; gives the target back."""
    for key, value in values.items():
        target.setdefault(key, value)
    return target


def quantities(target: Any, *names: str) -> None:  # noqa: ANN401  # a mapping, if it is there
    """Write the quantities among some values, or all, as the API server does."""
    if not isinstance(target, dict):
        return
    for name in names or tuple(target):
        value = target.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            target[name] = _canonical(str(value))


def template_defaults(template: Any, version: Version) -> None:  # noqa: ANN401  # a mapping, if it is there
    """Fill in a pod template."""
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        default(template, metadata={})
        pod_defaults(template["spec"], version)


def pod_defaults(spec: Data, version: Version) -> None:
    """Fill in the spec of a pod, wherever it stands."""
    del version
    default(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", securityContext={})
    default(spec, terminationGracePeriodSeconds=30, schedulerName="default-scheduler")
    if "serviceAccountName" in spec:
        default(spec, serviceAccount=spec["serviceAccountName"])
    host = spec.get("hostNetwork") is True
    for container in _mappings(spec, "containers", "initContainers", "ephemeralContainers"):
        _container(container, host_network=host)
    for volume in _mappings(spec, "volumes"):
        _volume(volume)
    quantities(spec.get("overhead"))


def claim_defaults(spec: Any) -> None:  # noqa: ANN401  # a mapping, if it is there
    """Fill in the spec of a volume claim."""
    if isinstance(spec, dict):
        default(spec, volumeMode="Filesystem", resources={})
        _resources(spec["resources"])


def port_protocols(holder: Data) -> None:
    """Fill in the protocol of each port."""
    for port in _mappings(holder, "ports"):
        default(port, protocol="TCP")


def _mappings(holder: Any, *names: str) -> Iterable[Data]:  # noqa: ANN401  # a mapping, if it is one
    for name in names:
        entries = holder.get(name) if isinstance(holder, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield entry


def _container(container: Data, *, host_network: bool) -> None:
    default(container, terminationMessagePath="/dev/termination-log", resources={})
    default(container, terminationMessagePolicy="File")
    default(container, imagePullPolicy=_pull_policy(str(container.get("image", ""))))
    _resources(container["resources"])
    port_protocols(container)
    for port in _mappings(container, "ports"):
        if host_network:
            default(port, hostPort=port.get("containerPort"))
    for variable in _mappings(container, "env"):
        _field_reference(variable.get("valueFrom"))
    for name in _PROBES:
        _probe(container.get(name))
    lifecycle = container.get("lifecycle")
    if isinstance(lifecycle, dict):
        for name in _HANDLERS:
            _http(lifecycle.get(name))


def _resources(resources: Any) -> None:  # noqa: ANN401  # a mapping, if it is one
    if isinstance(resources, dict):
        quantities(resources.get("limits"))
        quantities(resources.get("requests"))


def _pull_policy(image: str) -> str:
    """Always for what may change under its name by convention, which is `latest` or no tag."""
    name, at, _digest = image.partition("@")
    tag = _TAG.search(name.rpartition("/")[2])
    latest = tag[1] == "latest" if tag else not at
    return "Always" if latest else "IfNotPresent"


def _probe(probe: Any) -> None:  # noqa: ANN401  # a mapping, if it is there
    if isinstance(probe, dict):
        default(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
        _http(probe)
        if isinstance(probe.get("grpc"), dict):
            default(probe["grpc"], service="")


def _http(handler: Any) -> None:  # noqa: ANN401  # a mapping, if it is there
    request: Any = handler.get("httpGet") if isinstance(handler, dict) else None
    if isinstance(request, dict):
        default(request, scheme="HTTP", path="/")
        request["path"] = request["path"] or "/"


def _field_reference(source: Any) -> None:  # noqa: ANN401  # a mapping, if it is there
    if not isinstance(source, dict):
        return
    if isinstance(source.get("fieldRef"), dict):
        default(source["fieldRef"], apiVersion="v1")
    if isinstance(source.get("resourceFieldRef"), dict):
        quantities(default(source["resourceFieldRef"], divisor="0"), "divisor")


def _volume(volume: Data) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for name in _MODED:
        if isinstance(volume.get(name), dict):
            default(volume[name], defaultMode=_MODE)
    quantities(volume.get("emptyDir"), "sizeLimit")
    if isinstance(volume.get("hostPath"), dict):
        default(volume["hostPath"], type="")
    for source in _mappings(volume.get("projected"), "sources"):
        if isinstance(source.get("serviceAccountToken"), dict):
            default(source["serviceAccountToken"], expirationSeconds=3600)
    ephemeral = volume.get("ephemeral")
    claim = ephemeral.get("volumeClaimTemplate") if isinstance(ephemeral, dict) else None
    claim_defaults(claim.get("spec") if isinstance(claim, dict) else None)


def _canonical(quantity: str) -> str:
    try:
        return canonical(quantity)
    except ValueError:
        return quantity
