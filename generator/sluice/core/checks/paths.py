"""Whether requests to a route's path can reach what the engines of a release serve."""

from collections.abc import Iterator

from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.finding import Finding, Place
from sluice.core.paths import is_ambiguous, replacement
from sluice.core.specs.resolve import Release, Variant
from sluice.core.workload import delivery, values


def check_path(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What is wrong with the path of a release's route, beside its shape."""
    traffic = values.traffic(release.environment, release.spec)
    engines = [_engine_of(variant, catalog) for variant in release.variants]
    engine = engines[-1]
    if traffic is None or engine is None:
        return
    path, base = traffic["path"], engine.api.base
    if is_ambiguous(path, engine.api):
        message = (
            f"{path} is within {base}, where {engine.title} answers, so nobody can tell"
            " whether it is a name or part of what is asked for"
        )
        remedy = f"write {base}, or a path elsewhere such as /{release.key.name}{base}"
        yield Finding(_place(release), "REF090", message, remedy)
        return
    stable = engines[0]
    if stable is not None and stable.api.base != base:
        message = f"one route leads to two versions that answer at {stable.api.base} and at {base}"
        remedy = "roll out one engine at a time, or serve the other from a release of its own"
        yield Finding(release.place("engine.name"), "REF090", message, remedy)
    added = delivery.managed_route(release.variants[-1], release.key.name)
    if added and replacement(path, engine.api) and not _keeps_rewrite(release):
        mover = release.takeover.mover
        message = f"{mover} adds a rule that leads to {path}, and the engine answers at {base}"
        remedy = f"write {base} on a host of its own, or leave `controller` away"
        yield Finding(release.place("rollout.controller"), "REF090", message, remedy)


def _engine_of(variant: Variant, catalog: Catalog) -> Engine | None:
    """The engine of a version, unless it is one that another check refuses."""
    engine = catalog.engine(variant.spec.engine.name, variant.spec.engine.version)
    return None if engine is None or engine.status == "refused" else engine


def _keeps_rewrite(release: Release) -> bool:
    """Whether a rule that a controller adds is a copy of ours, filters included."""
    provider, strategy = release.takeover.provider, release.takeover.strategy
    return provider is not None and provider.added_rules_keep_path and not strategy.copies


def _place(release: Release) -> Place:
    if release.spec.traffic.path is not None:
        return release.place("traffic.path")
    return release.environment.document.place(("spec", "traffic", "path"))
