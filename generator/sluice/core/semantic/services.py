"""Services and network policies."""

import ipaddress
from typing import Any

from sluice.core.semantic.changes import fixed
from sluice.core.semantic.checks import (
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
from sluice.core.semantic.metadata import LABELS, SELECTOR
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
from sluice.core.semantic.shape import each, leaf, node, required, unique

_OUTSIDE = ("NodePort", "LoadBalancer")
_TYPES = ("ClusterIP", *_OUTSIDE, "ExternalName")
_DAY = 86400


def _type(spec: dict[str, Any], _: Context) -> Finds:
    kind, inside = text(spec, "type") or "ClusterIP", spec.get("clusterIP")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield Found("SEM080", (), "externalName is missing")
    if kind in _OUTSIDE and inside == "None":
        yield Found("SEM080", ("clusterIP",), f"a {kind} cannot be headless")
    if kind == "ExternalName" and inside not in (None, "", "None"):
        yield Found("SEM080", ("clusterIP",), "an ExternalName has no address")
    if kind != "LoadBalancer" and spec.get("loadBalancerSourceRanges"):
        yield Found("SEM080", ("loadBalancerSourceRanges",), f"a {kind} has no load balancer")
    if kind not in _OUTSIDE and spec.get("externalTrafficPolicy"):
        yield Found("SEM086", ("externalTrafficPolicy",), f"a {kind} has no traffic from outside")


def _ports(spec: dict[str, Any], _: Context) -> Finds:
    kind = text(spec, "type") or "ClusterIP"
    ports = mappings(spec, "ports")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield Found("SEM081", (), "the Service has no ports")
    for index, item in ports:
        if len(ports) > 1 and not item.get("name"):
            yield Found("SEM082", ("ports", index), "name is missing")
        if item.get("nodePort") and kind not in _OUTSIDE:
            yield Found("SEM084", ("ports", index, "nodePort"), f"type is {kind}")


def _pairs(spec: dict[str, Any], _: Context) -> Finds:
    seen: dict[tuple[str, str], int] = {}
    ports = mappings(spec, "ports")
    for index, item in ports if len(ports) > 1 else ():
        own = (show(item.get("port")), show(item.get("protocol") or "TCP"))
        first = seen.setdefault(own, index)
        if first != index and item.get("port") is not None:
            message = f"{own[0]} of {own[1]} stands in ports[{first}] as well"
            yield Found("SEM083", ("ports", index, "port"), message)


def _affinity(spec: dict[str, Any], _: Context) -> Finds:
    if spec.get("sessionAffinityConfig") and spec.get("sessionAffinity") != "ClientIP":
        message = "sessionAffinityConfig needs sessionAffinity: ClientIP"
        yield Found("SEM099", ("sessionAffinityConfig",), message)
        return
    seconds = whole(mapping(spec, "sessionAffinityConfig", "clientIP"), "timeoutSeconds")
    if seconds is not None and (wrong := between(1, _DAY)(seconds)):
        yield Found("SEM086", ("sessionAffinityConfig", "clientIP", "timeoutSeconds"), wrong)


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
    _type,
    _ports,
    _pairs,
    unique("SEM082", "ports", "name"),
    _affinity,
    fixed("clusterIP"),
)


def _range(item: dict[str, Any], _: Context) -> Finds:
    end, start = whole(item, "endPort"), whole(item, "port")
    if end is None:
        return
    if start is None:
        yield Found("SEM096", ("endPort",), "endPort needs a port that is a number")
    elif end < start:
        yield Found("SEM096", ("endPort",), f"{show(end)} is below port {show(start)}")


def _peer(peer: dict[str, Any], _: Context) -> Finds:
    selectors = [key for key in ("podSelector", "namespaceSelector") if peer.get(key) is not None]
    if peer.get("ipBlock") is not None and selectors:
        yield Found("SEM097", ("ipBlock",), f"{selectors[0]} is set too; only one may be")
    elif peer.get("ipBlock") is None and not selectors:
        yield Found("SEM097", (), "the peer names nobody")


def _exceptions(block: dict[str, Any], _: Context) -> Finds:
    whole_block = text(block, "cidr")
    items = block.get("except")
    for index, part in enumerate(items if isinstance(items, list) else ()):
        if isinstance(part, str) and not cidr(part) and not _inside(part, whole_block):
            message = f"{show(part)} does not lie inside {show(whole_block)}"
            yield Found("SEM097", ("except", index), message)


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
                _exceptions,
            ),
        },
        _peer,
    )
)
_POLICY_PORTS = each(
    node(
        {
            "port": leaf("SEM096", port_or_name),
            "endPort": leaf("SEM096", port),
            "protocol": leaf("SEM096", one_of("TCP", "UDP", "SCTP")),
        },
        _range,
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
