"""Where clients reach releases: a gateway, which environments may share, a host and a path."""

from typing import NamedTuple

from sluice.core import paths
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload import delivery, values

_DEFAULT_CLASS = "nginx"
"""The class that controllers of Ingresses have where nobody gives them another one."""
_FIRST_RULE = frozenset({"istio"})
"""Providers that put the rules of a host one after the other, in the order in which they came, and
take the first that matches; the others take the most exact one."""


class Gateway(NamedTuple):
    """What answers for hosts: one of a cluster, whichever environments have routes there."""

    server: str
    provider: str
    name: str


class Address(NamedTuple):
    """Where a release is reached."""

    gateway: Gateway
    host: str
    path: str


def gateway_of(environment: Environment) -> Gateway | None:
    """The gateway at which the releases of an environment are reached, if any."""
    traffic = environment.spec.traffic
    if traffic is None:
        return None
    name = traffic.class_name or _DEFAULT_CLASS
    if traffic.gateway is not None:
        namespace = traffic.gateway.namespace or environment.spec.namespace
        name = f"{namespace}/{traffic.gateway.name}"
    return Gateway(environment.spec.cluster.server, traffic.provider, name)


def address_of(release: Release) -> Address | None:
    """Where clients reach a release, or nothing when nobody outside does."""
    gateway = gateway_of(release.environment)
    route = values.route(release.environment, release.spec)
    return Address(gateway, *route) if gateway and route else None


def taken_first(release: Release, address: Address) -> str | None:
    """The path whose requests this release's rules may take from more exact ones, if any.

    A rule for all requests comes last in any case, but not one for all those with some header, as
    a controller adds it that knows no paths.
    """
    if address.gateway.provider not in _FIRST_RULE:
        return None
    added = delivery.managed_route(release.spec, release.key.name, address.gateway.provider)
    if release.spec.rollout.match and added:
        return "/"
    if address.path == "/" and not release.spec.rollout.match:
        return None
    return address.path


def passed_over(address: Address) -> tuple[str, ...]:
    """The paths of other releases whose rules may take this one's requests."""
    is_first = address.gateway.provider in _FIRST_RULE
    return paths.outer_paths(address.path) if is_first else ()
