"""What a rollout is: where Git says that it stands, what is observed, and what may be written."""

from dataclasses import dataclass, replace
from typing import Literal

from sluice.core.analysis.judgement import Judgement
from sluice.core.specs.rollout_plan import FULL, Plan

State = Literal[
    "STABLE",
    "WARMING",
    "STEP",
    "GATED",
    "INCONCLUSIVE",
    "FROZEN",
    "PAUSED",
    "PROMOTING",
    "FINALIZING",
    "ROLLING_BACK",
    "ROLLED_BACK",
]
Kind = Literal["raise", "lower", "hold", "finalize", "settle", "restore"]
Lane = Literal["pull request", "push"]
Asks = Literal["", "decide", "rescue"]
"""What a person is asked for: to decide what the reconciler may not, or to help at once, since
clients suffer and nothing can be done for them by moving weight."""

SETBACKS = 3
"""How often a rollout begins again by itself; then a person decides."""
HELD: tuple[State, ...] = ("GATED", "INCONCLUSIVE", "FROZEN", "PAUSED")
LEAVING: tuple[State, ...] = ("ROLLING_BACK", "ROLLED_BACK")
SERVED: tuple[State, ...] = ("PROMOTING", "FINALIZING")


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where Git says that a rollout stands: rollout.yaml, with the plan from release.yaml.

    `spec_hash` is of the spec that the rollout began with, `current_hash` of the one in Git now.
    `since` is when the state was written, in seconds since the epoch, 0 where it does not matter.
    `returning` says that a person takes the stable version out of service: the candidate served
    before it, and gets everything once it is ready. `replicas` are what served all requests before,
    0 where it is not known; `setbacks` is how often it began again by itself.
    """

    state: State
    plan: Plan
    candidate: str = ""
    stable: str = ""
    step: int = 0
    weight: int = 0
    spec_hash: str = ""
    current_hash: str = ""
    since: int = 0
    reason: str = ""
    returning: bool = False
    replicas: int = 0
    setbacks: int = 0

    @property
    def stable_weight(self) -> int:
        """Percent of the requests that the stable version gets."""
        return FULL - self.weight

    @property
    def ordinal(self) -> int:
        """The number of the step for its counts; all of the requests is a step of its own."""
        return self.step + (self.weight == FULL)

    def to(self, state: State, reason: str, *, since: int = 0, **more: int) -> "Rollout":
        """The rollout in another state.

        Only states that wait by the clock of Git carry `since`; what a pull request proposes must
        be the same in every tick.
        """
        changes: dict[str, object] = {"state": state, "since": since, "reason": reason, **more}
        return replace(self, **changes)  # type: ignore[arg-type]  # the fields are named above

    def acknowledged(self) -> "Rollout":
        """The rollout of the release as it is in Git now."""
        return replace(self, spec_hash=self.current_hash)


@dataclass(frozen=True, slots=True)
class Sync:
    """How far Argo CD is with what is committed.

    `contains`: it compares with the commit of the committed weight, or a descendant of it.
    `synced`: what is in the cluster is what that revision says. `deployed`: from when on such
    revisions have been applied; `since`: from when on the weight has been in force: applied, and in
    sync now, whatever the health. `healthy` is about the workloads; `unhealthy`: from when on they
    have not been, where that is known. Seconds since the epoch, None when it is not so.
    """

    contains: bool
    synced: bool
    healthy: bool
    deployed: int | None = None
    since: int | None = None
    unhealthy: int | None = None


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many replicas are ready, None where nobody tells, and the most that the candidate may be.

    `scaled` says that a scaler sets their number, within bounds that Git has.
    """

    ready: int | None = None
    stable: int | None = None
    most: int = 1
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What one tick saw. None is "not known", and never good news.

    Args:
        sync: None when Argo CD does not answer or does not know the application.
        ready: whether the candidate has ready replicas, warmed up.
        stable_ready: the same of the stable version.
        weight: the weight in the live route.
        share: the share of requests that the candidate got lately, 0 to 1.
        judgement: on the counts so far; None without metrics.
        reverted: a person reverted a commit of this rollout, or deleted rollout.yaml.
        alarms: guards that have been on for long enough (queue, cache memory), in words.
        newer: the version that the registry asks for by now, if it is another one.
        held: why nothing may be raised by itself now (a freeze, or no window is open), in words.
        misrouted: how the requests contradict the committed weight beyond doubt, in words.
        unseen: what cannot be seen of this candidate, in words.
        committed: when the weight was committed, in seconds since the epoch.
        replicas: how many there are of both versions.
        restarts: how often the candidate itself restarted at this weight; evictions are none.
        gap: seconds at this weight of which nothing was counted.
        blind: since when nothing is counted any more, in words; empty while it is.
    """

    sync: Sync | None = None
    ready: bool | None = None
    stable_ready: bool | None = None
    weight: int | None = None
    share: float | None = None
    judgement: Judgement | None = None
    reverted: bool = False
    alarms: tuple[str, ...] = ()
    newer: str = ""
    held: str = ""
    misrouted: str = ""
    unseen: str = ""
    committed: int | None = None
    replicas: Replicas = Replicas()
    restarts: int = 0
    gap: int = 0
    blind: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """The one commit that a tick asks for.

    Args:
        kind: raise and lower move weight; hold changes the state only; finalize ends the rollback
            window; settle makes the candidate the stable version; restore makes the stable
            version the release's again.
        rollout: what rollout.yaml then says; None when the file goes (settle, restore).
        reason: why, in words for the commit.
        evidence: the judgement behind it, if there is one.
        approval: a person must merge it; it is never merged automatically.
        quarantine: the version that must not be proposed again.
    """

    kind: Kind
    rollout: Rollout | None
    reason: str
    evidence: Judgement | None = None
    approval: bool = False
    quarantine: str = ""

    @property
    def lane(self) -> Lane:
        """How it reaches Git: what gives a version more goes through a pull request.

        Except for a return: to give less to the version that is taken out of service, on a
        person's word, is what it is for.
        """
        if self.kind == "raise" and self.rollout is not None and self.rollout.returning:
            return "push"
        return "pull request" if self.kind in ("raise", "finalize", "settle") else "push"


@dataclass(frozen=True, slots=True)
class Decision:
    """At most one write, in words what the rollout does or waits for, and what a person must do."""

    write: Write | None
    reason: str
    notes: tuple[str, ...] = ()
    asks: Asks = ""
