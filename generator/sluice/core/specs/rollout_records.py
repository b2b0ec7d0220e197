"""How a new version is let in: conditions on it, and how it gets its requests. Part of `records`.

Numbers of gates are kept as they are written, since messages repeat them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sluice.core.specs.reader import EMPTY, Seconds
from sluice.core.takeover.controller import OWN
from sluice.core.takeover.strategy import DEFAULT


class CountedBy(NamedTuple):
    """A counter, and the values that its labels may have."""

    metric: str
    labels: Mapping[str, str | list[str]] = EMPTY


class Rates(NamedTuple):
    """A rate of bad events that is good, and one that is not."""

    p0: float
    p1: float


class SignalGate(NamedTuple):
    """What a candidate is judged by in a rollout.

    What is not written depends on the signal: see `core.analysis.signals`.
    """

    signal: str
    name: str | None = None  # None: as the signal
    above: float | None = None  # seconds from which on a latency is bad
    requests: CountedBy | None = None  # of the signal `custom`: all of them, and the bad ones
    bad: CountedBy | None = None
    tolerated: float | None = None  # ratio to the stable version that is still good
    excluded: float | None = None  # and one that is not
    absolute: Rates | None = None
    min_requests: int | None = None  # before anything passes
    mode: str | None = None  # enforce, which is usual, or observe


class RolloutStep(NamedTuple):
    """A weight, in percent of the requests, and how long the candidate stays at it."""

    weight: int
    soak: Seconds  # at least
    max_soak: Seconds | None = None  # at most; None: a day, or the soak where that is longer
    approval: str = "automatic"  # or manual: a person goes on


class Pair(NamedTuple):
    """A header or a cookie with its value."""

    name: str
    value: str


class Match(NamedTuple):
    """Which requests go to the candidate: those with a header, or with a cookie."""

    header: Pair | None = None
    cookie: Pair | None = None


class Guards(NamedTuple):
    """Signs that take weight away."""

    queue: float = 5.0  # requests that wait for each replica
    cache: float = 0.95  # share of the cache in use
    for_: Seconds = 300  # without a break


class Analysis(NamedTuple):
    """How a candidate is judged beside the stable version."""

    alpha: float = 0.05  # chance of failing a good version
    beta: float = 0.05  # chance of passing a bad one
    warm_up: Seconds = 120  # after a change of weight, not judged
    guards: Guards = Guards()
    gates: tuple[SignalGate, ...] | None = None  # None: by failed answers alone


class Strategy(NamedTuple):
    """How versions take over from each other: `rollout` of a release."""

    strategy: str = DEFAULT.name
    steps: tuple[RolloutStep, ...] = ()
    match: Match | None = None
    mirror: int = 100  # percent of the requests that are copied
    deadline: Seconds = 3600  # until a deployed candidate is ready
    rollback_window: Seconds = 3600  # in which the stable version is kept warm after the last step
    max_failure_age: Seconds = 1200  # a failure older than this is for a person to decide
    max_wait: Seconds | None = None  # for a person, before the candidate is rolled back
    analysis: Analysis = Analysis()
    controller: str = OWN  # who moves the weight


class MeasuredBy(NamedTuple):
    """Whose numbers a gate counts; each kind that is named must fit."""

    experiments: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    evaluators: tuple[str, ...] | None = None
    runs: tuple[str, ...] | None = None


class Approval(NamedTuple):
    """A tag on the version that a person sets; without values any will do."""

    tag: str
    values: tuple[str, ...] = ()


class Soak(NamedTuple):
    """How long the version must have served elsewhere, in one piece."""

    environment: str
    duration: str  # as it is written
    release: str | None = None  # team/name; None: the same as here


class Gate(NamedTuple):
    """One condition on a version, before a proposal merges: a metric, an approval or a soak."""

    metric: str | None = None
    min: float | None = None
    max: float | None = None
    max_regression: float | None = None  # against the deployed version
    better: str | None = None  # higher or lower; None: lower with nothing but `max`, else higher
    standard_errors: float | None = None  # that count as noise
    error_metric: str | None = None  # None: by the name of the metric
    dataset: str | None = None
    max_age: str | None = None  # a duration, as it is written
    after_registration: bool | None = None  # whether it must be measured after that
    safety: bool | None = None  # noise counts against the version
    measured_by: MeasuredBy | None = None
    approval: Approval | None = None
    soak: Soak | None = None


class Period(NamedTuple):
    """A window or a freeze, its times as they are written: on a schedule, or once."""

    schedule: str | None = None  # as cron has it
    duration: str | None = None  # from each time of the schedule on
    from_: str | None = None
    to: str | None = None
    time_zone: str = "UTC"
    reason: str = ""


class Promotion(NamedTuple):
    """How an environment lets versions in."""

    review: str = "required"  # or automatic: merged when every gate passes
    gates: tuple[Gate, ...] = ()  # of all its releases, before their own
    group: str | None = None  # what shares a pull request: team, environment or never
    reviewers: tuple[str, ...] = ()
    windows: tuple[Period, ...] = ()  # merged only then
    freezes: tuple[Period, ...] = ()  # never merged then

    @property
    def is_automatic(self) -> bool:
        """Whether what passes is merged without a person."""
        return self.review == "automatic"
