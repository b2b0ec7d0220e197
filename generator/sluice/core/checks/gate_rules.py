"""What is wrong with conditions on a version: what nothing meets, and what nobody can know."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sluice.core import layout
from sluice.core.finding import Finding, Place
from sluice.core.gates import windows
from sluice.core.gates.table import problems_of
from sluice.core.layout import Key
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Environment, Release
from sluice.core.specs.rollout_records import Gate

Where = Callable[[], Place]
"""Gives a place; to find one is slow, and there is a need for it only where something is wrong."""


def check_gates(release: Release) -> Iterator[Finding]:
    """What is wrong with a release's own conditions."""
    for index, gate in enumerate(release.spec.gates):
        yield from _gate(gate, _own(release, index))


def _own(release: Release, index: int) -> Where:
    return lambda: release.origin(("gates", index))[0]


def check_promotion(environment: Environment) -> Iterator[Finding]:
    """What is wrong with an environment's conditions, windows and freezes."""
    promotion, document = environment.spec.promotion, environment.document
    for index, gate in enumerate(promotion.gates):
        yield from _gate(gate, partial(document.place, ("spec", "promotion", "gates", index)))
    for name, periods in (("windows", promotion.windows), ("freezes", promotion.freezes)):
        for index, period in enumerate(periods):
            field, message = windows.problem(period)
            if field:
                pointer = ("spec", "promotion", name, index, field)
                found = document.place(pointer if field in written(period) else pointer[:-1])
                yield Finding(found, "REF061", message, "correct it or remove the entry")


def check_soaks(
    environments: Mapping[str, Environment], releases: Mapping[Key, Release], chosen: Sequence[Key]
) -> Iterator[Finding]:
    """Whether what the chosen releases must have served as is there."""
    for key in chosen:
        release = releases[key]
        promotion = release.environment.spec.promotion
        for index, gate in enumerate(promotion.gates):
            document = release.environment.document
            where = partial(document.place, ("spec", "promotion", "gates", index))
            yield from _soak(release, gate, where, environments, releases)
        for index, gate in enumerate(release.spec.gates):
            yield from _soak(release, gate, _own(release, index), environments, releases)


def _gate(gate: Gate, where: Where) -> Iterator[Finding]:
    for rule, message, remedy in problems_of(gate):
        yield Finding(where(), rule, message, remedy)


def _soak(
    release: Release,
    gate: Gate,
    where: Where,
    environments: Mapping[str, Environment],
    releases: Mapping[Key, Release],
) -> Iterator[Finding]:
    if gate.soak is None:
        return
    name = gate.soak.environment
    asked = gate.soak.release or f"{release.key.team}/{release.key.name}"
    team, _, inner = asked.partition("/")
    other = Key(name, team, inner)
    if name not in environments:
        message, remedy = f"there is no environment {name!r}", "name one that is there"
    elif other == release.key:
        message, remedy = "a release cannot soak in itself", "name another environment"
    elif other not in releases:
        message = f"nothing can soak as {other}: there is no such release"
        remedy = f"add {layout.release_path(other)}, or name it with `release`"
    elif releases[other].spec.model.name != release.spec.model.name:
        message = f"{other} serves another model, {releases[other].spec.model.name!r}"
        remedy = "name a release of the same model with `release`"
    else:
        return
    yield Finding(where(), "REF062", message, remedy)
