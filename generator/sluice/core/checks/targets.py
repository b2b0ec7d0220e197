"""Whether an autoscaler can ever see more than the target that it holds."""

from collections.abc import Iterator

from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Engine
from sluice.core.finding import Finding, Severity
from sluice.core.specs.resolve import Release
from sluice.core.workload.scaling import PERCENT

_TOLERANCE = 1.1
"""How far above its target a metric must be before the cluster adds a replica, unless it is told
otherwise. Source: kube-controller-manager, --horizontal-pod-autoscaler-tolerance."""
_WHOLE = 100


def check_targets(release: Release, engine: Engine) -> Iterator[Finding]:
    """Targets that one replica never exceeds, so that nothing ever asks for a second one."""
    for target, asked in release.spec.scaling.target.items():
        field = engine.ceilings.get(target, "")
        most = _ceiling(release, engine, target, field)
        if target not in engine.metrics or most is None or most > asked * _TOLERANCE:
            continue
        reason = f" with {field}" if target not in PERCENT else ""
        message = f"{target} of one replica is {most} at most{reason}"
        if most <= asked:
            message += f", so that at {asked} no autoscaler ever adds another"
            severity = Severity.ERROR
        else:
            message += f", and autoscalers add another from a tenth above {asked} on"
            severity = Severity.WARNING
        place = release.place(f"scaling.target.{target}")
        yield Finding(place, "ENG022", message, _remedy(target, field, most), severity)


def _ceiling(release: Release, engine: Engine, target: str, field: str) -> int | None:
    """What the metric of one replica never exceeds; requests of its copies are added up."""
    copies = parallel_of(release.spec).data
    if target in PERCENT:
        return _WHOLE
    asked = release.spec.written(field)
    most = str(engine.defaults.get(field, engine.limits.get(field)) if asked is None else asked)
    return int(most) * copies if most.isdecimal() else None


def _remedy(target: str, field: str, most: int) -> str:
    """The greatest target that helps, or what bounds it."""
    useful = max((number for number in range(most) if number * _TOLERANCE < most), default=0)
    remedies = [f"set it to {useful} at most"] if useful else ["scale on another target"]
    remedies += [f"raise {field}"] if target not in PERCENT else []
    return ", or ".join(remedies)
