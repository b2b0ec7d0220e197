"""What a controller in the cluster cannot do of what a rollout asks for, and why."""

from collections.abc import Iterator

from sluice.core.analysis.signal_table import signal_of
from sluice.core.analysis.signals import warm_up, watches
from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Engine, Gateway
from sluice.core.finding import Finding, Place
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.takeover.controller import Controller
from sluice.core.takeover.strategy import names_of
from sluice.core.workload import measurements, values

_OTHER = "leave `controller` away: sluice can do it"
_FULL = 100
_VALUES = ("controller", "strategy")
"""Fields whose value is what is wrong; of others it is that they are there."""

Said = tuple[tuple[str | int, ...], str, str]
"""The path of what is written, what is wrong with it, and what to do."""
_MOVER = ("rollout", "controller")
_GATES = ("rollout", "analysis", "gates")


def check_controller(
    release: Release, engine: Engine, gateway: Gateway | None
) -> Iterator[Finding]:
    """What the controller of a release, if it has one, cannot do."""
    mover = release.takeover.controller
    if mover is None:
        return
    problems = [*_any(release, mover), *_tests(release, mover.name)]
    problems += _gates(release, mover.name, engine, gateway)
    if mover.looks_once_a_step:
        problems += _steps(release, mover.name)
    if mover.copies_stable:
        problems += _copies(release, mover.name)
    problems += _routing(release, mover)
    for path, message, remedy in problems:
        yield Finding(_place(release, path), "REF073", message, remedy)


def _place(release: Release, path: tuple[str | int, ...]) -> Place:
    named = isinstance(path[-1], str) and path[-1] not in _VALUES
    return release.origin(path, key=named)[0]


def _any(release: Release, mover: Controller) -> Iterator[Said]:
    name, strategy = mover.name, release.takeover.strategy
    if strategy.shown not in mover.shown:
        yield _MOVER, f"{name} has nothing for the strategy {strategy.name}", _OTHER
    if parallel_of(release.spec).nodes > 1:
        yield _MOVER, f"{name} knows no groups of pods", _OTHER
    traffic = values.traffic(release.environment, release.spec)
    if traffic is not None and traffic["pool"] is not None:
        yield _MOVER, f"{name} moves weights between Services, not between pools", _OTHER
    provider = release.takeover.provider
    if strategy.copies and provider and provider.name not in mover.copying:
        message = f"{name} ignores that requests are to be copied by {provider.name}"
        yield ("rollout", "strategy"), message, f"use {' or '.join(mover.copying)}, or {_OTHER}"
    if provider is None and strategy.needs_route:
        message = f"without a route {name} can only switch from one version to the other"
        switched = names_of(lambda strategy: strategy.is_switched)
        remedy = f"use {switched}, or give the environment `traffic`"
        yield ("rollout", "strategy"), message, remedy
    for field in mover.without:
        if release.spec.says(f"rollout.{field}"):
            yield ("rollout", field), f"{name} has nothing that {field} could become", _OTHER


def _tests(release: Release, name: str) -> Iterator[Said]:
    """Words about a sequential test of two versions, which no controller makes."""
    spec = release.spec
    said: list[tuple[str | int, ...]] = [
        ("rollout", "analysis", field)
        for field in ("alpha", "beta")
        if spec.says(f"rollout.analysis.{field}")
    ]
    for index, gate in enumerate(spec.rollout.analysis.gates or ()):
        said += [(*_GATES, index, f) for f in ("tolerated", "excluded") if f in written(gate)]
    for index, step in enumerate(spec.rollout.steps):
        said += [("rollout", "steps", index, "maxSoak")] if step.max_soak is not None else []
    if spec.says("rollout.analysis.guards"):
        message = f"{name} has nothing that guards could become"
        yield ("rollout", "analysis", "guards"), message, _OTHER
    for path in said:
        message = f"{name} compares a share with a limit, so it has no use for {path[-1]}"
        yield path, message, "remove it, or let sluice judge"


def _gates(release: Release, name: str, engine: Engine, gateway: Gateway | None) -> Iterator[Said]:
    asked = release.spec.rollout.analysis.gates or ()
    address = release.environment.spec.monitoring.prometheus.address
    blind = measurements.is_blind(release.takeover)
    found = [w for w in watches(release.spec, engine, gateway) if not w.gate.observe]
    judged = address and any(watch.gate.absolute is not None for watch in found)
    if asked and not address:
        message = f"nothing tells {name} where the metrics are"
        yield _GATES, message, "set monitoring.prometheus.address of the environment"
    elif not judged and not blind and not all(s.manual for s in plan_of(release.spec).steps):
        message = f"nothing is measured, so {name} would go on by time alone"
        remedy = (
            "set monitoring.prometheus.address of the environment, and a gate with `absolute` where"
            " nobody counts failed answers; or let a person approve each step"
        )
        yield _MOVER, message, remedy
    if asked and blind:
        strategy = release.takeover.strategy.name
        message = (
            f"{name} judges a {strategy} rollout before the new version gets a request, and takes"
            " it back where nothing is counted"
        )
        fed = names_of(lambda strategy: strategy.is_fed)
        yield _GATES, message, f"use {fed}, leave the gates away, or let sluice judge"
    for signal in sorted({gate.signal for gate in asked if signal_of(gate).only_compared}):
        message = f"{name} compares no versions, so it has no use for {signal}"
        yield _GATES, message, "remove the gate, or let sluice judge"
    for watch in watches(release.spec, engine, gateway):
        if watch.gate.absolute is None:
            message = f"{name} compares no versions, so {watch.gate.name} needs a rate of its own"
            yield _GATES, message, "add `absolute`, or let sluice judge"


def _steps(release: Release, name: str) -> Iterator[Said]:
    """What a controller that looks at regular times cannot do."""
    is_weighted = release.takeover.strategy.is_weighted
    at, plan = ("rollout", "steps"), plan_of(release.spec)
    if any(step.manual for step in plan.steps):
        message = f"{name} asks a webhook whether to go on, and there is none that a person answers"
        remedy = "give it steps with a soak and without `approval: manual`, or let sluice wait"
        yield (at if release.spec.rollout.steps else _MOVER), message, remedy
    soaks = {step.soak for step in plan.steps}
    if is_weighted and len(soaks) > 1:
        message = f"{name} stays at each weight for the same time"
        yield at, message, "give all steps the same soak, or let sluice do it"
    if is_weighted and min(soaks) < warm_up(release.spec) + measurements.LEAST:
        message = (
            f"{name} looks once, at the end of a step, and the warm-up of"
            f" {warm_up(release.spec)} s leaves less than {measurements.LEAST} s to look at"
        )
        yield at, message, "give the steps a longer soak, or a shorter rollout.analysis.warmUp"
    if not is_weighted and release.spec.says("rollout.analysis.warmUp"):
        message = f"{name} looks from the first minute on where it raises no weight"
        yield ("rollout", "analysis", "warmUp"), message, "remove it, or let sluice judge"
    for index, gate in enumerate(release.spec.rollout.analysis.gates or ()):
        if gate.mode == "observe":
            message = f"{name} acts on whatever it measures"
            yield (*_GATES, index, "mode"), message, "remove the gate, or let sluice observe"


def _copies(release: Release, name: str) -> Iterator[Said]:
    """What a controller that keeps the stable version as a copy of its own cannot do."""
    scaling = release.spec.scaling
    if not scaling.is_automatic and scaling.least > 1:
        message = f"{name} starts one replica of a version, and leaves more to an autoscaler"
        yield ("scaling", "replicas"), message, "write min, max and a target"
    if scaling.least == 0:
        message = f"{name} takes a version that sleeps for one that is gone"
        yield ("scaling", "min"), message, "set min to 1, or let sluice do it"


def _routing(release: Release, mover: Controller) -> Iterator[Said]:
    """What a controller cannot have a route do."""
    rollout, takeover = release.spec.rollout, release.takeover
    provider = takeover.provider
    if mover.share_or_chosen and takeover.strategy.is_weighted and rollout.match is not None:
        message = f"{mover.name} gives either a share or chosen requests to the new version"
        yield ("rollout", "match"), message, "remove it, or let sluice do both"
    is_part = rollout.mirror != _FULL
    if provider is not None and takeover.pairing.copies == "all" and is_part:
        message = f"{mover.name} tells {provider.title} to copy all requests, or none"
        remedy = f"remove it, use {' or '.join(mover.copying_some)}, or let sluice do it"
        yield ("rollout", "mirror"), message, remedy
