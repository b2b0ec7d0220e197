"""Services and network policies."""

import ipaddress
from typing import Any

from sluice.core.kubernetes.rules.changes import fixed
from sluice.core.kubernetes.rules.checks import (
    address,
    between,
    cidr,
    dns_label,
    one_of,
    port,
    port_or_name,
    qualified,
    subdomain,
    words,
)
from sluice.core.kubernetes.rules.metadata import LABELS, SELECTOR
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
from sluice.core.kubernetes.rules.shape import each, leaf, node, required, unique

_OUTSIDE = ("NodePort", "LoadBalancer")
_TYPES = ("ClusterIP", *_OUTSIDE, "ExternalName")
_DAY = 86400


def _check_type(spec: dict[str, Any], _: Context) -> Faults:
    kind, inside = text(spec, "type") or "ClusterIP", spec.get("clusterIP")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield Fault("SEM080", (), "externalName is missing")
    if kind in _OUTSIDE and inside == "None":
        yield Fault("SEM080", ("clusterIP",), f"a {kind} cannot be headless")
    if kind == "ExternalName" and inside not in (None, "", "None"):
        yield Fault("SEM080", ("clusterIP",), "an ExternalName has no address")
    if kind != "LoadBalancer" and spec.get("loadBalancerSourceRanges"):
        yield Fault("SEM080", ("loadBalancerSourceRanges",), f"a {kind} has no load balancer")
    if kind not in _OUTSIDE and spec.get("externalTrafficPolicy"):
        yield Fault("SEM086", ("externalTrafficPolicy",), f"a {kind} has no traffic from outside")


def _check_ports(spec: dict[str, Any], _: Context) -> Faults:
    kind = text(spec, "type") or "ClusterIP"
    ports = mappings(spec, "ports")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield Fault("SEM081", (), "the Service has no ports")
    for index, item in ports:
        if len(ports) > 1 and not item.get("name"):
            yield Fault("SEM082", ("ports", index), "name is missing")
        if item.get("nodePort") and kind not in _OUTSIDE:
            yield Fault("SEM084", ("ports", index, "nodePort"), f"type is {kind}")


def _check_pairs(spec: dict[str, Any], _: Context) -> Faults:
    first_places: dict[tuple[str, str], int] = {}
    ports = mappings(spec, "ports")
    for index, item in ports if len(ports) > 1 else ():
        port = (show(item.get("port")), show(item.get("protocol") or "TCP"))
        first = first_places.setdefault(port, index)
        if first != index and item.get("port") is not None:
            message = f"{port[0]} of {port[1]} stands in ports[{first}] as well"
            yield Fault("SEM083", ("ports", index, "port"), message)


def _check_affinity(spec: dict[str, Any], _: Context) -> Faults:
    if spec.get("sessionAffinityConfig") and spec.get("sessionAffinity") != "ClientIP":
        message = "sessionAffinityConfig needs sessionAffinity: ClientIP"
        yield Fault("SEM099", ("sessionAffinityConfig",), message)
        return
    seconds = whole(mapping(spec, "sessionAffinityConfig", "clientIP"), "timeoutSeconds")
    if seconds is not None and (wrong := between(1, _DAY)(seconds)):
        yield Fault("SEM086", ("sessionAffinityConfig", "clientIP", "timeoutSeconds"), wrong)


def _cluster_ip(value: str) -> str | None:
    return None if value in ("", "None") else address(value)


SERVICE = node(
    {
        "type": leaf("SEM080", one_of(*_TYPES)),
        "externalName": leaf("SEM080", words(lambda name: subdomain(name.removesuffix(".")))),
        "clusterIP": leaf("SEM085", words(_cluster_ip)),
        "externalIPs": each(leaf("SEM085", words(address))),
        "loadBalancerSourceRanges": each(leaf("SEM085", words(lambda block: cidr(block.strip())))),
        "sessionAffinity": leaf("SEM086", one_of("None", "ClientIP")),
        "externalTrafficPolicy": leaf("SEM086", one_of("Cluster", "Local")),
        "internalTrafficPolicy": leaf("SEM086", one_of("Cluster", "Local")),
        "ipFamilyPolicy": leaf(
            "SEM086", one_of("SingleStack", "PreferDualStack", "RequireDualStack")
        ),
        "selector": LABELS,
        "ports": each(
            node(
                {
                    "name": leaf("SEM082", words(lambda name: dns_label(name) if name else None)),
                    "port": leaf("SEM081", port),
                    "targetPort": leaf(
                        "SEM081", lambda value: port_or_name(value) if value else None
                    ),
                    "nodePort": leaf("SEM081", between(0, 65535)),
                    "protocol": leaf("SEM080", one_of("TCP", "UDP", "SCTP")),
                    "appProtocol": leaf("SEM080", words(qualified)),
                },
                required("SEM081", "port"),
            )
        ),
    },
    _check_type,
    _check_ports,
    _check_pairs,
    unique("SEM082", "ports", "name"),
    _check_affinity,
    fixed("clusterIP"),
)


def _check_range(item: dict[str, Any], _: Context) -> Faults:
    end, start = whole(item, "endPort"), whole(item, "port")
    if end is None:
        return
    if start is None:
        yield Fault("SEM096", ("endPort",), "endPort needs a port that is a number")
    elif end < start:
        yield Fault("SEM096", ("endPort",), f"{show(end)} is below port {show(start)}")


def _check_peer(peer: dict[str, Any], _: Context) -> Faults:
    selectors = [key for key in ("podSelector", "namespaceSelector") if peer.get(key) is not None]
    if peer.get("ipBlock") is not None and selectors:
        yield Fault("SEM097", ("ipBlock",), f"{selectors[0]} is set too; only one may be")
    elif peer.get("ipBlock") is None and not selectors:
        yield Fault("SEM097", (), "the peer names nobody")


def _check_exceptions(block: dict[str, Any], _: Context) -> Faults:
    whole_block = text(block, "cidr")
    items = block.get("except")
    for index, part in enumerate(items if isinstance(items, list) else ()):
        if isinstance(part, str) and not cidr(part) and not _inside(part, whole_block):
            message = f"{show(part)} does not lie inside {show(whole_block)}"
            yield Fault("SEM097", ("except", index), message)


def _inside(part: str, block: str) -> bool:
    if cidr(block):
        return True  # said already
    inner = ipaddress.ip_network(part, strict=False)
    outer = ipaddress.ip_network(block, strict=False)
    return (
        inner.version == outer.version
        and inner != outer
        and int(outer.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(outer.broadcast_address)
    )


_PEERS = each(
    node(
        {
            "podSelector": SELECTOR,
            "namespaceSelector": SELECTOR,
            "ipBlock": node(
                {
                    "cidr": leaf("SEM097", words(cidr)),
                    "except": each(leaf("SEM097", words(cidr))),
                },
                required("SEM097", "cidr"),
                _check_exceptions,
            ),
        },
        _check_peer,
    )
)
_POLICY_PORTS = each(
    node(
        {
            "port": leaf("SEM096", port_or_name),
            "endPort": leaf("SEM096", port),
            "protocol": leaf("SEM096", one_of("TCP", "UDP", "SCTP")),
        },
        _check_range,
    )
)
NETWORK_POLICY = node(
    {
        "podSelector": SELECTOR,
        "policyTypes": each(leaf("SEM097", one_of("Ingress", "Egress", empty=False))),
        "ingress": each(node({"from": _PEERS, "ports": _POLICY_PORTS})),
        "egress": each(node({"to": _PEERS, "ports": _POLICY_PORTS})),
    }
)
