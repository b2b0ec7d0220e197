"""The drawings of the board in numbers: where lines, bars and texts are, in units of the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.reports.status_text import plain
from sluice.core.specs.rollout_plan import FULL

_PROGRESS_WIDTH, _METER_WIDTH = 140, 220
_CHART_WIDTH = 480
_RATES_HEIGHT = 120
_LEFT, _TOP, _BOTTOM = 60, 10, 100
_ROW = 22
_MIDDLE, _REACH = 310, 100
_MOST_CHANGES = 24
_LONGEST_NAME = 30
"""Characters that fit beside a bar."""


@dataclass(frozen=True)
class Bar:
    """A share of a whole, with ticks at the places `ticks`; `is_over`: more than the whole."""

    label: str
    width: int
    filled: float
    is_over: bool
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rates:
    """The shares of bad events of both versions; `candidate` and `stable` are paths of SVG."""

    label: str
    most: str
    candidate: str
    stable: str
    width: int = _CHART_WIDTH
    height: int = _RATES_HEIGHT
    left: int = _LEFT
    bottom: int = _BOTTOM


@dataclass(frozen=True)
class Change:
    """A gate's change against the deployed version, as a bar from the middle."""

    name: str
    percent: str
    is_better: bool
    x: str
    y: int
    text_y: int
    length: str


@dataclass(frozen=True)
class Changes:
    """The changes of some gates below each other; better ones reach to the right."""

    label: str
    changes: tuple[Change, ...]
    height: int
    width: int = _CHART_WIDTH
    middle: int = _MIDDLE
    end: int = _MIDDLE + _REACH + 8


def draw_progress(rollout: Mapping[str, Any]) -> Bar:
    """How much a candidate gets, with its plan's steps as ticks."""
    label = f"{rollout['weight']} % of the requests to version {plain(rollout['candidate'])}"
    ticks = tuple(round(_PROGRESS_WIDTH * w / FULL, 1) for w in rollout["weights"] if w)
    return _draw_bar(label, _PROGRESS_WIDTH, rollout["weight"] / FULL, ticks)


def draw_meter(used: int, quota: int, resource: str) -> Bar:
    """How much of a quota is used at the most.

    Args:
        used: devices, at the most.
        quota: devices that may be used; of none, every use is too much.
        resource: the name of what is counted.
    """
    share = used / quota if quota else 2.0 * (used > 0)
    return _draw_bar(f"{used} of {quota} {plain(resource)}", _METER_WIDTH, share)


def _draw_bar(label: str, width: int, share: float, ticks: tuple[float, ...] = ()) -> Bar:
    filled = round(width * min(max(share, 0.0), 1.0), 1)
    return Bar(label, width, filled, share > 1, ticks)


def draw_rates(gate: Mapping[str, Any]) -> Rates | None:
    """The shares of bad events of both versions, batch by batch, on one scale; None without any."""
    batches = gate["batches"]
    if not batches:
        return None
    candidate = [batch["candidate"] for batch in batches]
    stable = [batch["stable"] for batch in batches]
    most = max((share for share in candidate + stable if share is not None), default=0.0)
    label = f"{plain(gate['name'])}: bad share of both versions in {len(batches)} batches"
    return Rates(
        label=f"{label}, {most:.3%} at the most",
        most=f"{most:.2%}",
        candidate=_draw_line(candidate, most),
        stable=_draw_line(stable, most),
    )


def _draw_line(shares: Sequence[float | None], most: float) -> str:
    """One version's shares; batches without requests leave a gap."""
    last = len(shares) - 1
    width = _CHART_WIDTH - _LEFT - 4
    moves: list[str] = []
    follows_gap = True
    for place, share in enumerate(shares):
        if share is None:
            follows_gap = True
            continue
        x = _LEFT + width * (place / last if last else 0.5)
        y = _BOTTOM - (_BOTTOM - _TOP) * (share / most if most else 0.0)
        if follows_gap:
            # One batch alone between gaps is a dash, for a point of no length is not seen.
            moves.append(f"M{x:.1f} {y:.1f} h2")
        else:
            moves.append(f"L{x:.1f} {y:.1f}")
        follows_gap = False
    return " ".join(moves)


def draw_changes(gates: Iterable[Mapping[str, Any]]) -> Changes | None:
    """Each gate's change against the deployed version in percent; None where none has any."""
    changes: list[tuple[str, float]] = []
    for gate in gates:
        change = _change(gate)
        if change is not None:
            changes.append((plain(gate["metric"]), change))
    if not changes:
        return None
    del changes[_MOST_CHANGES:]
    most = max(1.0, *(abs(change) for _, change in changes))
    label = "; ".join(f"{name} {change:+.2f} %" for name, change in changes)
    drawn = (_draw_change(row, *change, most) for row, change in enumerate(changes))
    return Changes(f"better by: {label}", tuple(drawn), _ROW * len(changes))


def _draw_change(row: int, name: str, change: float, most: float) -> Change:
    length = _REACH * abs(change) / most
    is_better = change >= 0
    return Change(
        name=name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
        percent=f"{change:+.2f} %",
        is_better=is_better,
        x=f"{_MIDDLE if is_better else _MIDDLE - length:.1f}",
        y=row * _ROW + 5,
        text_y=row * _ROW + 15,
        length=f"{length:.1f}",
    )


def _change(gate: Mapping[str, Any]) -> float | None:
    """In percent of the deployed version's value, positive where it is better."""
    value, baseline = gate["value"], gate["baseline"]
    if value is None or not baseline:
        return None
    change: float = 100 * (value - baseline) / abs(baseline)
    return -change if gate["lowerIsBetter"] else change
