"""Random histories: observations of every kind, two reconcilers, kills, and people who interfere.

Git is a list of rollouts, each written only if nobody wrote before (compare-and-swap). What is
promised must hold after every commit, whatever happened.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sluice.core.analysis.judgement import Judgement, Verdict
from sluice.core.finding import UsageError
from sluice.core.rollout.by_hand import VERBS
from sluice.core.rollout.file import document, fields, rollout_of
from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import (
    HELD,
    LEAVING,
    Decision,
    Observation,
    Rollout,
    State,
    Sync,
    Write,
)
from sluice.core.rollout.transitions import recover
from sluice.core.specs.records import read_release
from sluice.core.specs.rollout_plan import FULL
from support.rollout_observations import NEARLY_GOOD, SEEN, timed
from support.rollout_records import STABLE, STEPS, played, spec

WEIGHTS: dict[State, int | None] = {
    "STEP": None,
    "GATED": None,
    "INCONCLUSIVE": None,
    "FROZEN": None,
    "PAUSED": None,
    "PROMOTING": FULL,
    "FINALIZING": FULL,
    "WARMING": 0,
}


@dataclass(frozen=True)
class Thought:
    """What a reconciler decided, and the head of Git that it read for it."""

    head: int
    rollout: Rollout
    seen: Observation
    decision: Decision


class Histories(RuleBasedStateMachine):
    """Git, two reconcilers and people."""

    thoughts = Bundle("thoughts")

    def __init__(self) -> None:
        super().__init__()
        self.now = 100_000
        self.edit = 0
        self.git = [replace(rollout_of(read_release(spec()), None), state="WARMING", stable="7")]
        self.quarantined: set[str] = set()

    @initialize(state=st.sampled_from(list(WEIGHTS)), step=st.integers(0, 2))
    def begin_anywhere(self, state: State, step: int) -> None:
        weight = WEIGHTS.get(state)
        own = int(str(STEPS[step]["weight"])) if weight is None else weight
        self.commit(replace(self.current, state=state, step=step, weight=own, since=self.now))

    @precondition(lambda self: self.current.state in ("STABLE", *LEAVING))
    @rule(state=st.sampled_from(list(WEIGHTS)), step=st.integers(0, 2))
    def another_rollout_begins(self, state: State, step: int) -> None:
        self.edit = 0
        self.git.append(replace(rollout_of(read_release(spec()), None), stable="7"))
        self.begin_anywhere(state, step)

    @property
    def current(self) -> Rollout:
        return self.git[-1]

    def commit(self, rollout: Rollout) -> None:
        """Through the file, as it would be read back."""
        self.git.append(self._read_back(rollout))

    @rule(seconds=st.integers(1, 5000))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(target=thoughts, seen=SEEN)
    def a_reconciler_thinks(self, seen: Observation) -> Thought:
        """It may be killed after this; its thought may also be carried out much later."""
        seen = timed(seen, self.now)
        return self._thought(seen)

    @rule(seen=SEEN)
    def a_reconciler_ticks(self, seen: Observation) -> None:
        self._written(self._thought(timed(seen, self.now)))

    def _thought(self, seen: Observation) -> Thought:
        decision = next_step(self.current, seen, self.now)
        thought = Thought(len(self.git), self.current, seen, decision)
        if decision.write is not None:
            self._allowed(thought, decision.write)
        return thought

    @rule(thought=thoughts)
    def a_reconciler_writes_late(self, thought: Thought) -> None:
        self._written(thought)

    def _written(self, thought: Thought) -> None:
        asked = thought.decision.write
        if asked is None or asked.approval or thought.head != len(self.git):
            return  # the swap fails, or it is for a person to merge
        self._apply(asked)

    @rule(thought=thoughts)
    def a_person_merges(self, thought: Thought) -> None:
        asked = thought.decision.write
        if asked is not None and asked.approval and thought.head == len(self.git):
            assert asked.lane == "pull request"
            self._apply(asked)

    def _apply(self, asked: Write) -> None:
        if asked.quarantine:
            self.quarantined.add(asked.quarantine)
        if asked.rollout is not None:
            self.commit(asked.rollout)
            return
        over = rollout_of(read_release(spec(self.edit)), None)
        self.git.append(over if asked.kind == "settle" else replace(over, candidate="7"))
        if asked.kind == "restore":
            assert "8" in self.quarantined

    def _allowed(self, thought: Thought, asked: Write) -> None:
        """What may be asked for."""
        before, seen, after = thought.rollout, thought.seen, asked.rollout
        weight = after.weight if after else before.weight
        if weight > before.weight:
            assert (asked.kind, asked.lane) == ("raise", "pull request")
        if asked.kind in ("raise", "finalize", "settle"):
            assert self._in_force(before, seen)
            assert before.spec_hash == before.current_hash
        if asked.kind == "raise":
            self._earned(before, seen, asked)
        if weight < before.weight:
            assert (asked.kind, asked.lane) == ("lower", "push")
            unexplained = seen.judgement and seen.judgement.verdict == "UNEXPLAINED"
            eased = seen.alarms or unexplained
            assert weight == 0 or (eased and weight in self._lower_weights(before))
            assert seen.stable_ready is not False or seen.replicas.stable
        if asked.kind == "settle":
            assert before.state == "FINALIZING"
        if asked.kind == "finalize" and not asked.approval:
            assert seen.share is not None
            assert seen.share >= 0.99
            assert seen.judgement is not None
            assert not seen.blind

    def _lower_weights(self, before: Rollout) -> list[int]:
        return [step.weight for step in before.plan.steps if step.weight < before.weight]

    def _in_force(self, before: Rollout, seen: Observation) -> bool:
        """Whether the cluster is known to do what Git says."""
        sync = seen.sync
        good = sync is not None and sync.contains and sync.synced and sync.healthy
        return good and seen.weight in (None, before.weight) and not seen.misrouted

    def _earned(self, before: Rollout, seen: Observation, asked: Write) -> None:
        assert seen.ready is True
        assert asked.approval or not seen.held
        assert seen.replicas.ready != 0
        verdict = seen.judgement.verdict if seen.judgement else None
        if before.state == "WARMING":
            assert asked.rollout is not None
            assert asked.rollout.weight == before.plan.steps[before.step].weight
            return
        assert before.state in ("STEP", "GATED", "INCONCLUSIVE")
        assert verdict not in (None, "FAIL", "ENV_DEGRADED", "UNANSWERED", "UNEXPLAINED")
        assert asked.approval or not seen.blind
        assert asked.rollout is not None
        share = seen.replicas.most * asked.rollout.weight / FULL
        assert seen.replicas.ready is None or seen.replicas.ready >= min(share, 4)
        manual = before.plan.steps[before.step].manual
        if verdict != "PASS" or manual:
            assert asked.approval
        if before.state == "STEP":
            assert not asked.approval

    @precondition(lambda self: self.current.state != "STABLE")
    @rule(verb=st.sampled_from(sorted(VERBS)), seen=SEEN)
    def a_person_uses_a_verb(self, verb: str, seen: Observation) -> None:
        seen = timed(seen, self.now)
        try:
            asked = VERBS[verb](self.current, seen, self.now, verb)
        except UsageError:
            return
        weight = asked.rollout.weight if asked.rollout else 0
        assert weight <= self.current.weight or (seen.ready and asked.kind == "raise")
        self._apply(asked)

    @precondition(lambda self: self.current.state != "STABLE")
    @rule()
    def a_person_edits_the_release(self) -> None:
        self.edit += 1
        self.commit(self.current)

    @precondition(lambda self: self.current.state != "STABLE")
    @rule(weight=st.integers(0, FULL), step=st.integers(0, 5))
    def a_person_edits_the_rollout(self, weight: int, step: int) -> None:
        self.commit(replace(self.current, weight=weight, step=step))

    @precondition(lambda self: len(self.git) > 1 and self.git[-2].state != "STABLE")
    @rule()
    def a_person_reverts(self) -> None:
        self.commit(self.git[-2])
        seen = Observation(reverted=True)
        asked = next_step(self.current, seen, self.now).write
        if self.current.state not in LEAVING:
            assert asked is not None
            assert asked.rollout is not None
            assert (asked.rollout.state, asked.rollout.weight) == ("ROLLING_BACK", 0)

    @precondition(lambda self: self.current.state != "STABLE")
    @rule(seen=SEEN)
    def a_person_deletes_the_rollout(self, seen: Observation) -> None:
        asked = recover(self.current, seen, self.now).write
        assert asked is not None
        assert asked.rollout is not None
        assert asked.rollout.weight <= self.current.weight
        self._apply(asked)

    @invariant()
    def only_what_was_earned_is_asked_for(self) -> None:
        for seen in NEARLY_GOOD:
            self._thought(timed(seen, self.now))

    @invariant()
    def weights_sum_to_a_hundred(self) -> None:
        assert 0 <= self.current.weight <= FULL
        assert self.current.weight + self.current.stable_weight == FULL

    @invariant()
    def a_failure_leads_back_in_one_step(self) -> None:
        since = Sync(contains=True, synced=True, healthy=True, deployed=0, since=0)
        failure = Judgement("FAIL", reason="bad", failed_at=self.now)
        seen = Observation(sync=since, ready=True, stable_ready=True, judgement=failure)
        asked = next_step(self.current, seen, self.now).write
        if self.current.state == "STABLE":
            assert asked is None
        elif self.current.state not in LEAVING:
            assert asked is not None
            assert asked.rollout is not None
            assert (asked.rollout.state, asked.rollout.weight) == ("ROLLING_BACK", 0)
            assert asked.lane == "push"

    @invariant()
    def blindness_and_time_move_no_traffic_to_the_candidate(self) -> None:
        for later in (0, 10**9):
            asked = next_step(self.current, Observation(), self.now + later).write
            if asked is not None and asked.rollout is not None:
                assert asked.rollout.weight <= self.current.weight

    @invariant()
    def it_comes_to_an_end(self) -> None:
        """Whatever happened: in a good world at the new version or with a person, else back."""
        if self.current.state == "STABLE":
            return
        before, good = self.current, self._played("PASS")
        assert good.state in ("STABLE", *HELD)
        bad = self._played("FAIL")
        assert (bad.state, bad.candidate) == ("STABLE", "7")
        blind = self._played(None)
        assert blind.weight <= before.weight
        assert blind.state != "FINALIZING" or before.state == "FINALIZING"

    def _played(self, verdict: Verdict | None) -> Rollout:
        return played(self.current, self.now, verdict, self._read_back)

    def _read_back(self, rollout: Rollout) -> Rollout:
        return rollout_of(read_release(spec(self.edit)), document("chat", rollout, STABLE)["spec"])

    @invariant()
    def a_restart_decides_alike(self) -> None:
        """From nothing but the bytes in Git, and as often as one asks."""
        if self.current.state == "STABLE":
            return
        again = rollout_of(
            read_release(spec(self.edit)), document("chat", self.current, STABLE)["spec"]
        )
        assert fields(again) == fields(self.current)
        seen = Observation(ready=True, judgement=Judgement("PASS", reason="good"))
        first = next_step(self.current, seen, self.now)
        assert next_step(again, seen, self.now) == first == next_step(again, seen, self.now)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=30)


class ManyHistories(Histories):
    """The same, more often."""


TestManyHistories = pytest.mark.slow(ManyHistories.TestCase)
TestManyHistories.settings = settings(max_examples=120, stateful_step_count=30)
