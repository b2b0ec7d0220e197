"""`sluice reconcile`: watch the registry and propose what it promotes."""

import json
import random
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from types import FrameType

import click

from sluice.commands.connect import connect, now
from sluice.commands.cycle import AUTHOR, Outcome, World, cycle
from sluice.core.finding import FindingsError, UsageError
from sluice.core.report import report
from sluice.forges.timing import Timing
from sluice.registries import open_registry

LONGEST_WAIT = 600


def run(
    *,
    once: bool,
    dry_run: bool,
    interval: int,
    registry: str | None,
    repository: str | None,
    forge: str | None,
    state: str | None,
    root: str | None,
    form: str,
) -> int:
    """One cycle, or cycles until a signal; 1 when a single cycle refused something."""
    stop = threading.Event()
    timing = Timing(sleep=stop.wait)
    upstream, pulls = connect(repository, forge, root, state, AUTHOR, timing)
    world = World(upstream, open_registry(registry or ""), pulls, now, dry_run, pause=stop.wait)
    return _cycle(world, form) if once else _forever(world, form, interval)


def _cycle(world: World, form: str) -> int:
    try:
        outcomes = list(_shown(cycle(world), form))
    except FindingsError as error:
        sys.stdout.write(report(error.findings, form, {}))
        return 1
    if form == "json":
        records = [asdict(outcome) for outcome in outcomes]
        sys.stdout.write(json.dumps({"version": 1, "outcomes": records}, indent=2) + "\n")
    return int(any(outcome.refused for outcome in outcomes))


def _shown(outcomes: Iterator[Outcome], form: str) -> Iterator[Outcome]:
    for outcome in outcomes:
        if form == "text":
            click.echo(_line(outcome))
        yield outcome


def _line(outcome: Outcome) -> str:
    version = f" version {outcome.version}" if outcome.version else ""
    pull = f" (#{outcome.pull})" if outcome.pull else ""
    reasons = "".join(f"\n    {reason}" for reason in outcome.reasons)
    return f"{outcome.release}: {outcome.what}{version}{pull}{reasons}"


def _forever(world: World, form: str, interval: int) -> int:
    """Cycle until asked to stop; what fails is tried again, later and later."""
    stop = threading.Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    wait = float(interval)
    while not stop.is_set():
        try:
            _cycle(world, form)
            wait = float(interval)
        except UsageError as error:
            wait = min(2 * wait, LONGEST_WAIT)
            click.echo(f"sluice: {error}; trying again in about {wait:.0f} s", err=True)
        stop.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311  # spreads out processes
    return 0
