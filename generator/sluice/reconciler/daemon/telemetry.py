"""What the daemon tells Prometheus; no name of a model, a branch or a secret is in it.

Of a rollout that is under way it tells the release, since somebody must be told which it is.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sluice.core.observation.following import Following
from sluice.core.promotion.outcome import Outcome
from sluice.core.rollout.model import Asks

_LAG = (10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400)
_MILLISECONDS = 1000
# Every value of the label `what`. The words of a rollout name versions and weights, which no label
# may: they count as what they begin with, or as moved.
WHATS = frozenset(
    {
        *("proposed", "updated", "unchanged", "merged", "merges when ready", "could not merge"),
        *("nothing to do", "cannot follow", "comes later", "left alone", "refused", "rejected"),
        *("closed", "quarantined", "failed", "broken", "rollout cannot be read", "not observed"),
        *("would propose", "would update", "would close", "would quarantine", "would push"),
        *("warming", "step", "gated", "inconclusive", "paused", "promoting", "rolling back"),
        *("rolled back", "stable", "moved", "held"),
        *("merged by hand", "kept from merging", "worded anew", "waits for main"),
    }
)
# What brings a promotion to where people see it.
_ARRIVED = {"proposed", "updated", "merged", "merges when ready"}


class Telemetry:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.registry = here = CollectorRegistry()
        self.cycle = Histogram("sluice_cycle_seconds", "Duration of a cycle.", registry=here)
        self._lag = Histogram(
            "sluice_promotion_lag_seconds",
            "From the registry's change to the pull request.",
            buckets=_LAG,
            registry=here,
        )
        self._outcomes = Counter(
            "sluice_outcomes", "What became of releases.", ["what"], registry=here
        )
        self._failures = Counter(
            "sluice_failures", "What went wrong, by reason.", ["reason"], registry=here
        )
        self._calls = Gauge(
            "sluice_remote_calls", "Calls made so far.", ["remote", "kind"], registry=here
        )
        self._budget = Gauge(
            "sluice_remote_budget", "Calls that a remote says are left.", ["remote"], registry=here
        )
        self._success = Gauge(
            "sluice_last_success_timestamp_seconds", "When a cycle last succeeded.", registry=here
        )
        self._weight = Gauge(
            "sluice_rollout_weight_percent",
            "Share of the requests that a candidate is to get, and gets.",
            ["release", "of"],
            registry=here,
        )
        self._differs = Gauge(
            "sluice_rollout_weight_differs_seconds",
            "How long Git has said another weight than the cluster gives.",
            ["release", "git", "cluster"],
            registry=here,
        )
        self._hindered = Gauge(
            "sluice_rollout_hindered",
            "What keeps the cluster from following Git.",
            ["release", "kind"],
            registry=here,
        )
        self._asks = Gauge(
            "sluice_rollout_asks",
            "Rollouts that only a person can move on.",
            ["release", "what"],
            registry=here,
        )
        self._unforeseen = Counter(
            "sluice_unforeseen_errors",
            "Errors that nobody foresaw, by what was dealt with.",
            ["place"],
            registry=here,
        )
        self._deliveries = Counter(
            "sluice_deliveries", "Webhook deliveries.", ["source", "result"], registry=here
        )

    def outcome(self, outcome: Outcome, now: int) -> None:
        """Count what became of a release."""
        self._outcomes.labels(_kind(outcome.what)).inc()
        if outcome.cause or outcome.what == "failed":
            self.failure(outcome.cause or "other")
        if outcome.what in _ARRIVED and outcome.promoted:
            self._lag.observe(max(0.0, now - outcome.promoted / _MILLISECONDS))

    def failure(self, reason: str) -> None:
        """Count a failure of a release or of a whole cycle."""
        self._failures.labels(reason).inc()

    def success(self, now: int) -> None:
        """Note that a cycle came to its end."""
        self._success.set(now)

    def usage(self, remote: str, calls: Mapping[str, int], left: int | None) -> None:
        """Note what a remote has cost since the start."""
        for kind, number in calls.items():
            self._calls.labels(remote, kind).set(number)
        if left is not None:
            self._budget.labels(remote).set(left)

    def following(self, rollouts: Mapping[str, Following]) -> None:
        """Note how the cluster follows the rollouts under way, by release."""
        for gauge in (self._weight, self._differs, self._hindered):
            gauge.clear()
        for release, seen in rollouts.items():
            self._weight.labels(release, "git").set(seen.committed)
            if seen.live is not None:
                self._weight.labels(release, "cluster").set(seen.live)
            if seen.differs:
                self._differs.labels(release, str(seen.committed), str(seen.live)).set(seen.since)
            for hindrance in seen.hindrances:
                self._hindered.labels(release, hindrance.kind).set(1)

    def asks(self, rollouts: Mapping[str, Asks]) -> None:
        """Note which rollouts ask a person for what, by release."""
        self._asks.clear()
        for release, what in rollouts.items():
            self._asks.labels(release, what).set(1)

    def unforeseen(self, place: str) -> None:
        """Count an error that nobody foresaw."""
        self._unforeseen.labels(place).inc()

    def delivery(self, source: str, result: str) -> None:
        """Count a delivery."""
        self._deliveries.labels(source, result).inc()


def _kind(what: str) -> str:
    begins = what.partition(":")[0]
    state = begins.partition(" at ")[0]
    return next((known for known in (begins, state) if known in WHATS), "moved")
