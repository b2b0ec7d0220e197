"""Observations of a rollout of every kind, good ones more often than they would come by chance."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sluice.core.analysis.judgement import Judgement, Verdict
from sluice.core.rollout.model import Observation, Replicas, Sync

AGES = st.sampled_from([0, 30, 60, 600, 1200, 1201, 1800, 3600, 10_000]).map(lambda age: -age)
"""Times are given relative to the clock, which is what matters, and put on it by `timed`."""
SYNCS = st.builds(
    Sync,
    contains=st.sampled_from([True, True, True, False]),
    synced=st.sampled_from([True, True, True, False]),
    healthy=st.sampled_from([True, True, True, False]),
    deployed=st.none() | AGES,
    unhealthy=st.none() | AGES,
    since=st.none() | AGES | AGES | AGES | st.just(500),
)
JUDGEMENTS = st.builds(
    Judgement,
    verdict=st.sampled_from(
        [
            "PASS",
            "PASS",
            "FAIL",
            "CONTINUE",
            "INCONCLUSIVE",
            "ENV_DEGRADED",
            "UNANSWERED",
            "UNEXPLAINED",
        ]
    ),
    reason=st.just("said"),
    failed_at=st.none() | AGES,
    hard=st.booleans(),
)
ANY = st.builds(
    Observation,
    sync=st.none() | SYNCS | SYNCS,
    ready=st.sampled_from([True, True, True, False, None]),
    stable_ready=st.sampled_from([True, True, None, False]),
    weight=st.none() | st.none() | st.sampled_from([0, 1, 10, 50, 100]),
    share=st.none() | st.sampled_from([0.0, 0.5, 0.98, 0.99, 1.0]),
    judgement=st.none() | JUDGEMENTS | JUDGEMENTS,
    reverted=st.sampled_from([False] * 9 + [True]),
    alarms=st.sampled_from([(), (), (), ("the queue is long",)]),
    newer=st.sampled_from(["", "9"]),
    held=st.sampled_from(["", "", "", "a freeze"]),
    misrouted=st.sampled_from(["", "", "", "the candidate got 60 %"]),
    committed=st.none() | AGES,
    replicas=st.sampled_from([Replicas(), *(Replicas(n, 4, 4, scaled=True) for n in (0, 1, 4, 4))]),
    restarts=st.sampled_from([0, 0, 1]),
    gap=st.sampled_from([0, 0, 0, 600]),
    blind=st.sampled_from(["", "", "", "nothing is counted"]),
)
IN_FORCE = Sync(contains=True, synced=True, healthy=True, deployed=-10_000, since=-10_000)
GOOD = Observation(
    sync=IN_FORCE,
    ready=True,
    stable_ready=True,
    share=1.0,
    judgement=Judgement("PASS", reason="said"),
)
VERDICTS: tuple[Verdict, ...] = (
    "PASS",
    "FAIL",
    "CONTINUE",
    "INCONCLUSIVE",
    "ENV_DEGRADED",
    "UNANSWERED",
    "UNEXPLAINED",
)
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"sync": None},
    {"sync": replace(IN_FORCE, contains=False)},
    {"sync": replace(IN_FORCE, synced=False)},
    {"sync": replace(IN_FORCE, healthy=False)},
    {"sync": replace(IN_FORCE, synced=False, since=None)},
    {"sync": replace(IN_FORCE, since=-30)},
    {"ready": None},
    {"ready": False},
    {"stable_ready": None},
    {"stable_ready": False},
    {"weight": 0},
    {"weight": 50},
    {"share": None},
    {"share": 0.98},
    {"reverted": True},
    {"alarms": ("the queue is long",)},
    {"held": "a freeze"},
    {"misrouted": "the candidate got 60 %"},
    {"replicas": Replicas(1, 4, 4, scaled=True)},
    {"replicas": Replicas(1, 4, 4)},
    {"replicas": Replicas(0, 4, 4)},
    {"gap": 5000},
    {"blind": "nothing is counted"},
)
JUDGED: tuple[Judgement | None, ...] = (
    None,
    *(Judgement(verdict, reason="said", failed_at=-30) for verdict in VERDICTS),
    Judgement("FAIL", reason="said", failed_at=-10_000),
)
NEARLY_GOOD = tuple(
    replace(GOOD, judgement=judgement, **change) for change in CHANGES for judgement in JUDGED
)
"""What lets a rollout go on, but for at most one thing beside the judgement."""

SEEN = st.sampled_from(NEARLY_GOOD) | ANY


def timed(seen: Observation, now: int) -> Observation:
    """The observation with its times on the clock."""

    def on(age: int | None) -> int | None:
        return None if age is None else now + age

    sync, judgement = seen.sync, seen.judgement
    return replace(
        seen,
        sync=sync
        and replace(
            sync,
            deployed=on(sync.deployed),
            since=on(sync.since),
            unhealthy=on(sync.unhealthy),
        ),
        committed=on(seen.committed),
        judgement=judgement and replace(judgement, failed_at=on(judgement.failed_at)),
    )
