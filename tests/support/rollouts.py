"""Rollouts of every strategy on every traffic provider, commit by commit."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from sluice.core.rollout.machine import next_step
from sluice.core.rollout.model import LEAVING, Observation, State
from support.rollout_records import GOOD, START, seen
from support.story import ENVIRONMENT, RELEASE, Story, changed, starter

GATEWAY = {"name": "public", "namespace": "gateways"}
TRAFFIC: Mapping[str, Mapping[str, Any]] = {
    "gateway": {"provider": "gateway", "gateway": GATEWAY, "host": "api.example.com"},
    "pool": {"provider": "gateway", "gateway": GATEWAY, "host": "api.example.com", "pool": {}},
    "istio": {"provider": "istio", "gateway": GATEWAY, "host": "api.example.com"},
    "nginx": {"provider": "nginx", "className": "nginx", "host": "api.example.com"},
}
HEADER = {"name": "x-model-release", "value": "next"}
STEPS = [{"weight": 10, "soak": "1m"}, {"weight": 50, "soak": "1m"}]
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "canary": {"strategy": "canary", "steps": STEPS},
    "blue-green": {"strategy": "blue-green"},
    "ab": {"strategy": "ab", "match": {"header": HEADER}},
    "shadow": {"strategy": "shadow", "mirror": 20},
}
PAIRS = [(p, s) for p in TRAFFIC for s in STRATEGIES if (p, s) != ("nginx", "shadow")]
"""nginx copies no requests."""
LONG = 2 * 3600
"""Seconds between two looks of the reconciler: everything has soaked, and nothing is overdue."""


class Commit(NamedTuple):
    """A commit of a rollout.

    Args:
        state: where it then stands.
        weight: what the candidate then gets.
        tree: all files.
        waits: whether the reconciler makes it only when the route of the commit before is in force.
    """

    state: State
    weight: int
    tree: Mapping[str, bytes]
    waits: bool = False


@cache
def onwards(provider: str, strategy: str) -> tuple[Commit, ...]:
    """From before a promotion until the new version is stable; a person merges what waits."""
    story = _begun(provider, strategy)
    commits = [_commit(story)]
    story.promote("2")
    commits.append(_commit(story))
    now = START
    while commits[-1].state != "STABLE":
        now += LONG
        commits.append(_ticked(story, _in_force(seen("PASS", share=1.0), now), now))
    return tuple(commits)


@cache
def back(provider: str, strategy: str, state: State) -> tuple[Commit, ...]:
    """From before a promotion to the last commit in a state, and from there back to the start."""
    commits = list(onwards(provider, strategy))
    last = max(i for i, commit in enumerate(commits) if commit.state == state and i)
    commits = commits[: last + 1]
    story = Story(starter(), [dict(commits[-1].tree)])
    now = START
    while commits[-1].state != "STABLE":
        now += LONG
        observed = seen(reverted=commits[-1].state not in LEAVING)
        commits.append(_ticked(story, _in_force(observed, now), now))
    return tuple(commits)


def _in_force(observed: Observation, now: int) -> Observation:
    """What is observed, with the weight in force since the look before."""
    since = now - LONG
    return replace(observed, sync=replace(GOOD, deployed=since, since=since))


def _begun(provider: str, strategy: str) -> Story:
    files = changed(starter(), ENVIRONMENT, {"traffic": TRAFFIC[provider]})
    return Story(changed(files, RELEASE, {"rollout": STRATEGIES[strategy]}))


def _ticked(story: Story, observed: Observation, now: int) -> Commit:
    """The commit that the reconciler makes of what it observes, and whether it waits to make it."""
    nothing = replace(observed, sync=replace(GOOD, contains=False, synced=False, since=None))
    waits = next_step(story.rollout, nothing, now).write is None
    story.tick(observed, now)
    return _commit(story)._replace(waits=waits)


def _commit(story: Story) -> Commit:
    rollout = story.rollout
    return Commit(rollout.state, rollout.weight, story.head)
