"""Pods: what holds across containers, and for the pod as a whole."""

from typing import Any

from sluice.core.kubernetes.rules import probes, scheduling, security, volumes
from sluice.core.kubernetes.rules.checks import (
    address,
    between,
    dns_label,
    one_of,
    subdomain,
    words,
)
from sluice.core.kubernetes.rules.containers import CONTAINER, ports_of
from sluice.core.kubernetes.rules.metadata import TEMPLATE_METADATA
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
from sluice.core.kubernetes.rules.shape import each, leaf, node

_KINDS = ("containers", "initContainers", "ephemeralContainers")
_NAMESERVERS = 3
_DEFAULT_GRACE = 30


def _check_names(pod: dict[str, Any], _: Context) -> Faults:
    first_places: dict[str, str] = {}
    for kind in _KINDS:
        for index, container in mappings(pod, kind):
            name, here = text(container, "name"), f"{kind}[{index}]"
            first = first_places.setdefault(name, here)
            if name and first != here:
                yield Fault("SEM011", (kind, index, "name"), f"{show(name)} is {first} as well")


def _check_any_container(pod: dict[str, Any], _: Context) -> Faults:
    if not pod.get("containers"):
        yield Fault("SEM054", (), "the pod has no containers")


def _check_host_ports(pod: dict[str, Any], _: Context) -> Faults:
    taken: set[tuple[object, ...]] = set()
    for number, container in mappings(pod, "containers"):
        for index, item in mappings(container, "ports"):
            port, place = (
                whole(item, "hostPort"),
                ("containers", number, "ports", index, "hostPort"),
            )
            if not port:
                continue
            address = (port, text(item, "protocol") or "TCP", text(item, "hostIP"))
            if pod.get("hostNetwork") is True and port != item.get("containerPort"):
                yield Fault("SEM022", place, f"{show(port)} differs from containerPort")
            elif address in taken:
                yield Fault("SEM022", place, f"{show(port)} is taken by another port of this pod")
            taken.add(address)


def _check_probed_ports(pod: dict[str, Any], _: Context) -> Faults:
    for kind in ("containers", "initContainers"):
        for index, container in mappings(pod, kind):
            for probe in probes.PROBES:
                for way in ("httpGet", "tcpSocket"):
                    port = mapping(container, probe, way).get("port")
                    if not isinstance(port, str) or not port:
                        continue
                    if all(name != port for name, _ in ports_of(container)):
                        place = (kind, index, probe, way, "port")
                        yield Fault("SEM027", place, f"the container names no port {show(port)}")


def _check_grace(pod: dict[str, Any], _: Context) -> Faults:
    grace = whole(pod, "terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        message = f"{show(grace)} seconds count as one"
        yield Fault("SEM052", ("terminationGracePeriodSeconds",), message)
    for index, container in mappings(pod, "containers"):
        pause = whole(mapping(container, "lifecycle", "preStop", "sleep"), "seconds")
        limit = _DEFAULT_GRACE if grace is None else max(grace, 1)
        if pause is not None and not 0 <= pause <= limit:
            place = ("containers", index, "lifecycle", "preStop", "sleep", "seconds")
            yield Fault("SEM056", place, f"it sleeps {show(pause)} s of {limit} s to stop")


def _check_dns(pod: dict[str, Any], _: Context) -> Faults:
    servers = mapping(pod, "dnsConfig").get("nameservers")
    count = len(servers) if isinstance(servers, list) else 0
    if pod.get("dnsPolicy") == "None" and not count:
        yield Fault("SEM051", ("dnsPolicy",), "dnsPolicy None without a nameserver")
    elif count > _NAMESERVERS:
        yield Fault("SEM051", ("dnsConfig", "nameservers"), f"{count} nameservers; 3 are allowed")


def _check_shared_processes(pod: dict[str, Any], _: Context) -> Faults:
    if pod.get("shareProcessNamespace") is True and pod.get("hostPID") is True:
        yield Fault("SEM053", ("hostPID",), "shareProcessNamespace is true as well")


_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_CONTAINERS = each(CONTAINER)
POD_SPEC = node(
    {
        "containers": _CONTAINERS,
        "initContainers": _CONTAINERS,
        "ephemeralContainers": _CONTAINERS,
        "volumes": each(volumes.VOLUME),
        "securityContext": security.OF_POD,
        "restartPolicy": leaf("SEM055", one_of("Always", "OnFailure", "Never")),
        "dnsPolicy": leaf("SEM055", one_of(*_DNS_POLICIES)),
        "dnsConfig": node({"nameservers": each(leaf("SEM051", words(address)))}),
        "preemptionPolicy": leaf("SEM055", one_of("PreemptLowerPriority", "Never")),
        "activeDeadlineSeconds": leaf("SEM055", between(1)),
        "hostname": leaf("SEM055", words(dns_label)),
        "subdomain": leaf("SEM055", words(dns_label)),
        "serviceAccountName": leaf("SEM055", words(lambda name: subdomain(name) if name else None)),
        "priorityClassName": leaf("SEM055", words(lambda name: subdomain(name) if name else None)),
        **scheduling.FIELDS,
    },
    _check_any_container,
    _check_names,
    _check_host_ports,
    _check_probed_ports,
    _check_grace,
    _check_dns,
    _check_shared_processes,
    probes.check_init_containers,
    security.check_root,
    volumes.check_mounted,
    volumes.VOLUMES_DIFFER,
    scheduling.SPREAD_DIFFERS,
)


def _check_any_pod(template: dict[str, Any], _: Context) -> Faults:
    if template.get("spec") is None:
        yield Fault("SEM054", (), "the template has no containers")


TEMPLATE = node({"metadata": TEMPLATE_METADATA, "spec": POD_SPEC}, _check_any_pod)
