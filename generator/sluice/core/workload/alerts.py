"""What to be told of a release that serves badly, or whose rollout the cluster does not follow.

These are rules over its engine's own metrics, and over those of `sluice reconcile`. No
dashboard is rendered beside them: what panels a team looks at is for whoever runs the monitoring.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.catalog.entries import Engine
from sluice.core.catalog.thresholds import Thresholds


def following(release: str, late: int) -> list[dict[str, Any]]:
    """The rules for a release whose weight is moved in Git: whether the cluster does so too.

    Args:
        release: what it is called in the metrics of `sluice reconcile`, with its environment.
        late: seconds after which a weight in Git is to be in the route.
    """
    where = _matching({"release": release})
    differs = f"max by (git, cluster) (sluice_rollout_weight_differs_seconds{where}) > {late}"
    said = "Git says {{ $labels.git }} %, the cluster gives {{ $labels.cluster }} %"
    hindered = f"max by (kind) (sluice_rollout_hindered{where}) > 0"
    why = "the cluster does not follow Git: {{ $labels.kind }}; see sluice rollout status"
    stuck = "the candidate fails and the stable version cannot take over; see sluice rollout status"
    waits = "the rollout waits for a person; see sluice rollout status"
    return [
        _rule("WeightDiffers", differs, "1m", "critical", said),
        _rule("ClusterDoesNotFollow", hindered, "10m", "warning", why),
        _rule("RolloutNeedsHelp", _asked(release, "rescue"), "2m", "critical", stuck),
        _rule("RolloutWaits", _asked(release, "decide"), "15m", "warning", waits),
    ]


def _asked(release: str, what: str) -> str:
    where = _matching({"release": release, "what": what})
    return f"max(sluice_rollout_asks{where}) > 0"


def alerts(
    engine: Engine, pods: Mapping[str, str], limits: Thresholds, *, sleeps: bool
) -> list[dict[str, Any]]:
    """The rules that the metrics of this engine allow.

    Args:
        engine: gives the names of the metrics.
        pods: the labels of the release's series.
        limits: from which numbers on somebody is told.
        sleeps: whether the release may have no replica at all, which then is no fault.
    """
    return list(_rules(engine.metrics, _matching(pods), limits, sleeps=sleeps))


def _rules(
    metrics: Mapping[str, str], where: str, limits: Thresholds, *, sleeps: bool
) -> Iterator[dict[str, Any]]:
    if "runningRequests" in metrics and not sleeps:
        expression = f"absent({metrics['runningRequests']}{where})"
        yield _rule("EngineDown", expression, "5m", "critical", "no replica reports any metrics")
    if "queuedRequests" in metrics:
        expression = f"avg({metrics['queuedRequests']}{where}) > {limits.queue}"
        said = f"more than {limits.queue} requests wait for each replica"
        yield _rule("RequestsWait", expression, "5m", "warning", said)
    if "kvCacheUsage" in metrics:
        expression = f"max({metrics['kvCacheUsage']}{where}) > {limits.cache}"
        yield _rule("CacheFull", expression, "10m", "warning", "the key-value cache is full")
    if "timeToFirstToken" in metrics:
        buckets = f"sum by (le) (rate({metrics['timeToFirstToken']}_bucket{where}[5m]))"
        expression = f"histogram_quantile(0.95, {buckets}) > {limits.first_token}"
        said = f"one request in twenty waits more than {limits.first_token} s for its first token"
        yield _rule("FirstTokenSlow", expression, "10m", "warning", said)


def _rule(name: str, expression: str, wait: str, severity: str, said: str) -> dict[str, Any]:
    return {
        "name": name,
        "expression": expression,
        "wait": wait,
        "severity": severity,
        "said": said,
    }


def _matching(pods: Mapping[str, str]) -> str:
    matchers = ",".join(f'{name}="{value}"' for name, value in pods.items())
    return f"{{{matchers}}}"
