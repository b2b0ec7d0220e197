"""Pods: what holds across containers, and for the pod as a whole."""

from typing import Any

from sluice.core.semantic import probes, scheduling, security, volumes
from sluice.core.semantic.checks import address, between, dns_label, one_of, subdomain, words
from sluice.core.semantic.containers import CONTAINER, ports_of
from sluice.core.semantic.metadata import TEMPLATE_METADATA
from sluice.core.semantic.problem import (
    Context,
    Finds,
    Found,
    mapping,
    mappings,
    show,
    text,
    whole,
)
from sluice.core.semantic.shape import each, leaf, node

_KINDS = ("containers", "initContainers", "ephemeralContainers")
_NAMESERVERS = 3
_DEFAULT_GRACE = 30


def _names(pod: dict[str, Any], _: Context) -> Finds:
    seen: dict[str, str] = {}
    for kind in _KINDS:
        for index, container in mappings(pod, kind):
            name, here = text(container, "name"), f"{kind}[{index}]"
            first = seen.setdefault(name, here)
            if name and first != here:
                yield Found("SEM011", (kind, index, "name"), f"{show(name)} is {first} as well")


def _any_container(pod: dict[str, Any], _: Context) -> Finds:
    if not pod.get("containers"):
        yield Found("SEM054", (), "the pod has no containers")


def _host_ports(pod: dict[str, Any], _: Context) -> Finds:
    seen: set[tuple[object, ...]] = set()
    for number, container in mappings(pod, "containers"):
        for index, item in mappings(container, "ports"):
            port, place = (
                whole(item, "hostPort"),
                ("containers", number, "ports", index, "hostPort"),
            )
            if not port:
                continue
            own = (port, text(item, "protocol") or "TCP", text(item, "hostIP"))
            if pod.get("hostNetwork") is True and port != item.get("containerPort"):
                yield Found("SEM022", place, f"{show(port)} differs from containerPort")
            elif own in seen:
                yield Found("SEM022", place, f"{show(port)} is taken by another port of this pod")
            seen.add(own)


def _probed_ports(pod: dict[str, Any], _: Context) -> Finds:
    for kind in ("containers", "initContainers"):
        for index, container in mappings(pod, kind):
            for probe in probes.PROBES:
                for way in ("httpGet", "tcpSocket"):
                    port = mapping(container, probe, way).get("port")
                    if not isinstance(port, str) or not port:
                        continue
                    if all(name != port for name, _ in ports_of(container)):
                        place = (kind, index, probe, way, "port")
                        yield Found("SEM027", place, f"the container names no port {show(port)}")


def _grace(pod: dict[str, Any], _: Context) -> Finds:
    grace = whole(pod, "terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        message = f"{show(grace)} seconds count as one"
        yield Found("SEM052", ("terminationGracePeriodSeconds",), message)
    for index, container in mappings(pod, "containers"):
        pause = whole(mapping(container, "lifecycle", "preStop", "sleep"), "seconds")
        limit = _DEFAULT_GRACE if grace is None else max(grace, 1)
        if pause is not None and not 0 <= pause <= limit:
            place = ("containers", index, "lifecycle", "preStop", "sleep", "seconds")
            yield Found("SEM056", place, f"it sleeps {show(pause)} s of {limit} s to stop")


def _dns(pod: dict[str, Any], _: Context) -> Finds:
    servers = mapping(pod, "dnsConfig").get("nameservers")
    count = len(servers) if isinstance(servers, list) else 0
    if pod.get("dnsPolicy") == "None" and not count:
        yield Found("SEM051", ("dnsPolicy",), "dnsPolicy None without a nameserver")
    elif count > _NAMESERVERS:
        yield Found("SEM051", ("dnsConfig", "nameservers"), f"{count} nameservers; 3 are allowed")


def _shared_processes(pod: dict[str, Any], _: Context) -> Finds:
    if pod.get("shareProcessNamespace") is True and pod.get("hostPID") is True:
        yield Found("SEM053", ("hostPID",), "shareProcessNamespace is true as well")


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
    _any_container,
    _names,
    _host_ports,
    _probed_ports,
    _grace,
    _dns,
    _shared_processes,
    probes.init_containers,
    security.root,
    volumes.mounted,
    volumes.VOLUMES_DIFFER,
    scheduling.SPREAD_DIFFERS,
)


def _any_pod(template: dict[str, Any], _: Context) -> Finds:
    if template.get("spec") is None:
        yield Found("SEM054", (), "the template has no containers")


TEMPLATE = node({"metadata": TEMPLATE_METADATA, "spec": POD_SPEC}, _any_pod)
