"""The drawings of the board as SVG inside the page; each says in words what it shows.

Colours stand in attributes too, for readers that apply no style sheet to drawings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sluice.core.reports.status_text import plain
from sluice.core.specs.rollout_plan import FULL

_BAR = Markup(
    '<svg viewBox="0 0 {width} 12" width="{width}" height="12" role="img" aria-label="{said}">'
    '<rect class="back" x="0" y="2" width="{width}" height="8" rx="4" fill="#d9dee7" />'
    '<rect class="{look}" x="0" y="2" width="{filled}" height="8" rx="4" fill="#3b5bdb" />'
    "{ticks}</svg>"
)
_TICK = Markup('<line class="tick" x1="{x}" y1="0" x2="{x}" y2="12" stroke="#5b6475" />')
_PATH = Markup('<path class="{arm}" d="{path}" fill="none" stroke="{colour}" />')
_COLOURS = {"candidate": "#3b5bdb", "stable": "#868e96"}
_WIDTH, _HEIGHT = 480, 120
_LEFT, _TOP, _BOTTOM = 60, 10, 100
_ROW = 22
_MOST_BARS = 24


def progress(rollout: Mapping[str, Any]) -> Markup:
    """How much a candidate gets, with its plan's steps as ticks."""
    width = 140
    said = f"{rollout['weight']} % of the requests to version {plain(rollout['candidate'])}"
    ticks = (_TICK.format(x=round(width * w / FULL, 1)) for w in rollout["weights"] if w)
    return _bar(width, rollout["weight"] / FULL, said, Markup().join(ticks))


def meter(used: int, quota: int, resource: str) -> Markup:
    """How much of a quota is used at the most."""
    said = f"{used} of {quota} {plain(resource)}"
    share = used / quota if quota else 2.0 * (used > 0)
    return _bar(220, share, said)


def _bar(width: int, share: float, said: str, ticks: Markup | str = "") -> Markup:
    filled = round(width * min(max(share, 0.0), 1.0), 1)
    look = "over" if share > 1 else "fill"
    return _BAR.format(width=width, filled=filled, said=said, look=look, ticks=ticks)


def rates(gate: Mapping[str, Any]) -> Markup:
    """The shares of bad events of both versions, batch by batch, on one scale."""
    batches = gate["batches"]
    arms = {arm: [batch[arm] for batch in batches] for arm in ("candidate", "stable")}
    most = max((r for rates in arms.values() for r in rates if r is not None), default=0.0)
    if not batches:
        return Markup()
    lines = Markup().join(_line(arm, shares, most) for arm, shares in arms.items())
    said = f"{plain(gate['name'])}: bad share of both versions in {len(batches)} batches"
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{said}">'
        '<line class="axis" x1="{left}" y1="{bottom}" x2="{w}" y2="{bottom}" '
        'stroke="#5b6475" />'
        '<text x="0" y="20">{most}</text><text x="0" y="{bottom}">0 %</text>{lines}</svg>'
    ).format(
        w=_WIDTH,
        h=_HEIGHT,
        said=f"{said}, {most:.3%} at the most",
        left=_LEFT,
        bottom=_BOTTOM,
        most=f"{most:.2%}",
        lines=lines,
    )


def _line(arm: str, shares: Sequence[float | None], most: float) -> Markup:
    """One version's shares; batches without requests leave a gap."""
    paths, gap = [], True
    for at, share in enumerate(shares):
        if share is not None:
            x = _LEFT + (_WIDTH - _LEFT - 4) * (at / (len(shares) - 1) if shares[1:] else 0.5)
            y = _BOTTOM - (_BOTTOM - _TOP) * (share / most if most else 0.0)
            # One batch alone between gaps is a dash, for a point of no length is not seen.
            paths.append(f"{'M' if gap else 'L'}{x:.1f} {y:.1f}{' h2' if gap else ''}")
        gap = share is None
    return _PATH.format(arm=arm, path=" ".join(paths), colour=_COLOURS[arm])


def changes(gates: Iterable[Mapping[str, Any]]) -> Markup:
    """Each gate's change against the deployed version in percent, better to the right."""
    bars = [(plain(g["metric"]), change) for g in gates if (change := _change(g)) is not None]
    if not bars:
        return Markup()
    shown = bars[:_MOST_BARS]
    most = max(1.0, *(abs(change) for _, change in shown))
    rows = Markup().join(_row(n, name, change, most) for n, (name, change) in enumerate(shown))
    said = "; ".join(f"{name} {change:+.2f} %" for name, change in shown)
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{said}">'
        '{rows}<line class="axis" x1="{mid}" y1="0" x2="{mid}" y2="{h}" '
        'stroke="#5b6475" /></svg>'
    ).format(w=_WIDTH, h=_ROW * len(shown), said=f"better by: {said}", rows=rows, mid=_MIDDLE)


_MIDDLE, _REACH = 310, 100


def _row(number: int, name: str, change: float, most: float) -> Markup:
    length = _REACH * abs(change) / most
    return Markup(
        '<text x="0" y="{text}">{name}</text>'
        '<rect class="{look}" x="{x:.1f}" y="{y}" width="{length:.1f}" height="12" '
        'fill="{colour}" />'
        '<text x="{end}" y="{text}">{change}</text>'
    ).format(
        text=number * _ROW + 15,
        name=name if len(name) <= 30 else f"{name[:29]}…",  # noqa: PLR2004 - what fits beside it
        look="up" if change >= 0 else "down",
        colour="#2b8a3e" if change >= 0 else "#c92a2a",
        x=_MIDDLE - (length if change < 0 else 0),
        y=number * _ROW + 5,
        length=length,
        end=_MIDDLE + _REACH + 8,
        change=f"{change:+.2f} %",
    )


def _change(gate: Mapping[str, Any]) -> float | None:
    value, baseline = gate["value"], gate["baseline"]
    if value is None or not baseline:
        return None
    change: float = 100 * (value - baseline) / abs(baseline)
    return -change if gate["lowerIsBetter"] else change
