"""What leads to the candidate of a rollout beside its share, and who counts what it gets."""

from typing import Any

from sluice.core.catalog.entries import Catalog, Gateway
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Release, Variant
from sluice.core.specs.rollout_records import Pair
from sluice.core.workload import values

FULL = 100
UNNAMED = ("WARMING", "ROLLED_BACK")
"""States in which no route names the candidate's Service, since its pods come, or are about to go:
no route ever names what is not there yet, or not any more."""
LAST = "FINALIZING"
"""The state in which routes name the candidate only, and the stable version is still there."""
SHOWN = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN")
"""States in which the candidate is ready and gets what is chosen for it. A pause takes that away,
since it can begin before the candidate is ready."""


def has_routes(release: Release) -> bool:
    """Whether a release has routes of its own; some controllers in the cluster make theirs."""
    takeover = release.takeover
    return takeover.provider is not None and not takeover.pairing.makes_route


def named(release: Release) -> tuple[Variant, ...]:
    """The versions that routes name, the stable one first."""
    if release.rollout is None:
        return release.variants
    stable, candidate = release.variants
    state = release.rollout.data["spec"]["state"]
    if state == LAST:
        return (candidate,)
    return (stable,) if state in UNNAMED else (stable, candidate)


def leading(release: Release) -> Variant:
    """The version that clients in the cluster reach by the release's name."""
    return named(release)[0]


def chosen(release: Release) -> dict[str, Any]:
    """Header, cookie and copies that lead to the candidate now, for the templates of routes."""
    shown = release.rollout is not None and release.rollout.data["spec"]["state"] in SHOWN
    asked = asked_for(release)
    return asked if shown else dict.fromkeys(asked)


def asked_for(release: Release) -> dict[str, Any]:
    """What of these the release asks for, whether or not a candidate is ready."""
    rollout = release.spec.rollout
    header = rollout.match.header if rollout.match else None
    cookie = rollout.match.cookie if rollout.match else None
    return {
        "match_header": header and {"name": header.name.lower(), "value": header.value},
        "match_cookie": cookie and {**written(cookie), "pattern": _cookie_pattern(cookie)},
        "mirror_percent": rollout.mirror if release.takeover.strategy.copies else None,
    }


def _cookie_pattern(cookie: Pair) -> str:
    """An expression that matches a whole Cookie header with this one in it."""
    pair = f"{cookie.name}={cookie.value}".replace(".", "\\.")
    return f"^(.*; *)?{pair}(;.*)?$"


def gateway_of(release: Release, catalog: Catalog) -> Gateway | None:
    """Who counts requests at the edge: whom the environment names, or its traffic provider."""
    traffic = values.traffic(release.environment, release.spec)
    if traffic is None:
        return None
    named = release.environment.spec.monitoring.gateway
    return catalog.gateway(named or traffic["provider"])


def words(release: Release, service: str) -> dict[str, str]:
    """What labels of a gateway's counters may say of a version behind a Service."""
    traffic = values.traffic(release.environment, release.spec) or {}
    return {
        "service": service,
        "namespace": release.environment.spec.namespace,
        "release": release.key.name,
        "host": traffic.get("host") or "",
    }
