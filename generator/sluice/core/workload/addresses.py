"""Where clients reach releases: a gateway, which environments may share, a host and a path."""

from typing import NamedTuple

from sluice.core import paths
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload import delivery, values


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
    first_rule: bool = False
    """Whether the first rule that matches is taken, and not the most exact one."""


def gateway_of(environment: Environment) -> Gateway | None:
    """The gateway at which the releases of an environment are reached, if any."""
    traffic, provider = environment.spec.traffic, environment.provider
    if traffic is None or provider is None:
        return None
    name = traffic.class_name or provider.default_class
    if traffic.gateway is not None:
        namespace = traffic.gateway.namespace or environment.spec.namespace
        name = f"{namespace}/{traffic.gateway.name}"
    return Gateway(environment.spec.cluster.server, provider.name, name)


def address_of(release: Release) -> Address | None:
    """Where clients reach a release, or nothing when nobody outside does."""
    gateway = gateway_of(release.environment)
    route = values.route(release.environment, release.spec)
    provider = release.takeover.provider
    if gateway is None or route is None or provider is None:
        return None
    return Address(gateway, *route, provider.first_rule)


def taken_first(release: Release, address: Address) -> str | None:
    """The path whose requests this release's rules may take from more exact ones, if any.

    A rule for all requests comes last in any case, but not one for all those with some header, as
    a controller adds it that knows no paths.
    """
    if not address.first_rule:
        return None
    added = delivery.managed_route(release.variants[-1], release.key.name)
    if release.spec.rollout.match and added:
        return "/"
    if address.path == "/" and not release.spec.rollout.match:
        return None
    return address.path


def passed_over(address: Address) -> tuple[str, ...]:
    """The paths of other releases whose rules may take this one's requests."""
    return paths.outer_paths(address.path) if address.first_rule else ()
