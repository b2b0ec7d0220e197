"""All conditions on a version together: on its metrics, on people, and on other environments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from sluice.core.gates.case import Times
from sluice.core.gates.judge import GateResult, judge, refuse_unknown
from sluice.core.gates.serving_periods import Tenure, served
from sluice.core.gates.table import COMPARING, conditions_of
from sluice.core.gates.windows import hold
from sluice.core.layout import Key
from sluice.core.model import Evaluation, ModelVersion
from sluice.core.specs.reader import written
from sluice.core.specs.records import lookup
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_records import Approval, Gate, Soak
from sluice.core.units import seconds


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a gate is judged with: the version, what was measured, and the circumstances."""

    release: Release
    version: ModelVersion
    candidate: Evaluation
    baseline: Evaluation | None
    about: "Circumstances"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What conditions ask for beside the numbers: the time in seconds, and who served when."""

    now: int = 0
    tenures: Mapping[Key, Sequence[Tenure]] = field(default_factory=dict)


def gates_of(release: Release) -> list[Gate]:
    """The conditions on a release: those of its environment first, then its own."""
    return [*release.environment.spec.promotion.gates, *release.spec.gates]


def asks_history(
    release: Release,
    version: ModelVersion,
    candidate: Evaluation,
    baseline: Evaluation | None,
    now: int,
) -> list[Key]:
    """The releases whose history decides about this version; its own only if it could matter.

    Reading a history is slow, and a version that passes everything needs none.
    """
    promotion = release.environment.spec.promotion
    found = [
        _soaked(release, written(gate)[condition.name])
        for gate in gates_of(release)
        for condition in conditions_of(gate)
        if condition.needs_history
    ]
    results = judge_all(release, version, candidate, baseline, Circumstances(now))
    compared = any(result.failed and result.kind in COMPARING for result in results)
    if compared or hold(promotion, now):
        found.append(release.key)
    return list(dict.fromkeys(found))


def is_rollback(release: Release, version: ModelVersion, about: Circumstances) -> bool:
    """Whether the version has served this release before."""
    return bool(served(about.tenures.get(release.key, ()), version))


def judge_all(
    release: Release,
    version: ModelVersion,
    candidate: Evaluation,
    baseline: Evaluation | None,
    about: Circumstances,
) -> tuple[GateResult, ...]:
    """Judge every condition on a version, in the order in which they are written.

    A version that served here before has passed once: what compares it with its successor, or
    asks for its age, is then left to a person instead of refusing it.
    """
    subject = _Subject(release, version, candidate, baseline, about)
    gates = zip(gates_of(release), _documents_of(release), strict=True)
    results = [_judge_one(gate, document, subject) for gate, document in gates]
    if not is_rollback(release, version, about):
        return tuple(results)
    return tuple(_softened(result) for result in results)


def _documents_of(release: Release) -> list[Mapping[str, Any]]:
    """The same gates as they are written, in the same order."""
    shared = lookup(release.environment.spec.document, "promotion.gates") or []
    return [*shared, *(release.spec.written("gates") or [])]


def _judge_one(gate: Gate, document: Mapping[str, Any], subject: _Subject) -> GateResult:
    refusal = refuse_unknown(gate, document)
    if refusal is not None:
        return refusal
    properties = written(gate)
    name = next((name for name in JUDGES if name in properties), "metric")
    return JUDGES[name](gate, subject)


def waits(
    release: Release,
    version: ModelVersion,
    gates: Sequence[GateResult],
    about: Circumstances,
) -> tuple[str, ...]:
    """Why a proposal does not merge by itself now; empty when nothing is in its way.

    Windows and freezes are not asked about a rollback: what served before is safer than what does.
    """
    missing = tuple(gate.reason for gate in gates if gate.waiting)
    promotion = release.environment.spec.promotion
    held = "" if is_rollback(release, version, about) else hold(promotion, about.now)
    return (*missing, held) if held else missing


def _softened(result: GateResult) -> GateResult:
    if not result.failed or result.kind not in COMPARING:
        return result
    said = f"{result.reason}; it served before, so a person decides"
    return replace(result, waiting=True, reason=said)


def _metric(gate: Gate, subject: _Subject) -> GateResult:
    times = Times(1000 * subject.about.now, subject.version.created)
    return judge([gate], subject.candidate, subject.baseline, times)[0]


def _approval(gate: Gate, subject: _Subject) -> GateResult:
    tag, values = cast("Approval", gate.approval)  # JUDGES gives it no other gates
    version = subject.version
    found = version.tags.get(tag, "").strip()
    listed = " or ".join(values)
    wanted = f"tag {tag} is {listed}" if values else f"tag {tag} is set"
    if found and (not values or found in values):
        note = f"tag {tag} is {found!r}"
        return GateResult("approval", wanted, None, None, True, kind="approval", note=note)
    said = repr(found) if found else "not set"
    said += f", it must be {listed}" if values else ""
    reason = f"version {version.version} is not approved: its tag {tag} is {said}"
    return GateResult("approval", wanted, None, None, False, reason, True, "approval")


def _soak(gate: Gate, subject: _Subject) -> GateResult:
    soak = cast("Soak", gate.soak)  # JUDGES gives it no other gates
    version, about = subject.version, subject.about
    key = _soaked(subject.release, soak)
    wanted = f"served for {soak.duration} in one piece as {key}"
    needed = seconds(soak.duration)
    times = served(about.tenures.get(key, ()), version)
    enough = next((time for time in times if time.length(about.now) >= needed), None)
    if enough:
        note = f"it served there from {_minute(enough.since)} on"
        return GateResult("soak", wanted, None, None, True, kind="soak", note=note)
    running = next((time for time in times if time.until is None), None)
    if running:
        said = f"it serves there long enough from {_minute(running.since + needed)} on"
    elif times:
        said = "it served there, but not for so long"
    else:
        said = "it has not served there"
    reason = f"version {version.version} has not {wanted}: {said}"
    return GateResult("soak", wanted, None, None, False, reason, True, "soak")


JUDGES: Mapping[str, Callable[[Gate, _Subject], GateResult]] = {
    "approval": _approval,
    "soak": _soak,
    "metric": _metric,
}
"""Who judges a gate, by what it is about."""


def _minute(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def _soaked(release: Release, gate: Soak) -> Key:
    """The release that a soak is about."""
    asked = gate.release or f"{release.key.team}/{release.key.name}"
    team, _, name = asked.partition("/")
    return Key(gate.environment, team, name)
