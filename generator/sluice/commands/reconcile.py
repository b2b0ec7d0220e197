"""`sluice reconcile`: watch the registry and propose what it promotes."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain

import click

from sluice.core.finding import FindingsError, UsageError
from sluice.core.model import Registry
from sluice.core.outgoing import one_line
from sluice.core.promotion.outcome import Outcome
from sluice.core.reports.report import report
from sluice.core.unforeseen import isolated
from sluice.forges.timing import Timing
from sluice.reconciler.daemon.cycle_log import Diary, format_line
from sluice.reconciler.daemon.defects import listen_for_defects
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.promotions.write_back import write_back
from sluice.reconciler.rollouts.run import move_rollouts
from sluice.reconciler.runtime import Runtime
from sluice.registries import open_registry
from sluice.registries.marking import Markable
from sluice.registries.watch import watch_registry
from sluice.workspace.connection import connect, find_forge_kind, now
from sluice.workspace.identity import AUTHOR


def run(
    *,
    once: bool,
    dry_run: bool,
    interval: int,
    listen: str | None,
    registry: str | None,
    repository: str | None,
    forge: str | None,
    state: str | None,
    root: str | None,
    write_back: bool,
    form: str,
) -> int:
    """One cycle, or cycles until a signal; 1 when a single cycle refused something."""
    stop = threading.Event()
    timing = Timing(sleep=stop.wait)
    upstream, pulls = connect(repository, forge, root, state, AUTHOR, timing)
    source = open_registry(registry or "")
    watching = source if once else watch_registry(source)
    marker = _open_marker(source, registry) if write_back else None
    runtime = Runtime(upstream, watching, pulls, now, dry_run, pause=stop.wait, marker=marker)
    if once:
        return _cycle(runtime, form)
    from sluice.reconciler.daemon.loop import Daemon  # noqa: PLC0415  # brings a server
    from sluice.reconciler.daemon.webhooks import read_verifiers  # noqa: PLC0415  # as above

    known = read_verifiers(
        find_forge_kind(repository, forge, root), os.environ, made=upstream.is_ours
    )
    return Daemon(runtime, Diary(form), interval, stop).run(listen, known)


def _open_marker(registry: Registry, address: str | None) -> Markable:
    if isinstance(registry, Markable):
        return registry
    raise UsageError(f"--write-back: tags cannot be written to {address}, which is no server")


def _cycle(runtime: Runtime, form: str) -> int:
    """One cycle; an error that nobody foresaw is no success, whatever became of all the rest."""
    places: list[str] = []
    with listen_for_defects(places.append, lambda said: click.echo(f"sluice: {said}", err=True)):
        code = _run_cycle(runtime, form)
    return code or int(bool(places))


def _run_cycle(runtime: Runtime, form: str) -> int:
    try:
        with isolated("a cycle", OSError):
            outcomes = list(_show(chain(move_rollouts(runtime), cycle(runtime)), form))
    except FindingsError as error:
        sys.stdout.write(report(error.findings, form, {}))
        return 1
    if not runtime.dry_run:
        _pack(runtime)
    if form == "json":
        records = [asdict(outcome) for outcome in outcomes]
        sys.stdout.write(json.dumps({"version": 1, "outcomes": records}, indent=2) + "\n")
    if problem := write_back(runtime, outcomes):
        click.echo(f"sluice: {one_line(problem)}", err=True)
    return int(any(outcome.refused for outcome in outcomes))


def _pack(runtime: Runtime) -> None:
    """Tidy up, where that is due; what was done stays done when it cannot be."""
    try:
        with isolated("packing"):
            runtime.upstream.pack(runtime.is_stopping)
    except UsageError as error:
        click.echo(f"sluice: {one_line(str(error))}", err=True)


def _show(outcomes: Iterator[Outcome], form: str) -> Iterator[Outcome]:
    for outcome in outcomes:
        if form == "text":
            click.echo(format_line(outcome))
        yield outcome
