"""The reconciler as a daemon: cycles until it is told to stop, later and later after failures."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import FrameType

from sluice.core.finding import FindingsError, UsageError
from sluice.core.promotion.outcome import Outcome, cause_of
from sluice.core.unforeseen import UnforeseenError, isolated
from sluice.network.deadlines import give_up
from sluice.reconciler.daemon.backoff import Patience
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.defects import listen_for_defects
from sluice.reconciler.daemon.server import Listener, Verifier, serve
from sluice.reconciler.daemon.telemetry import Telemetry
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.promotions.write_back import write_back
from sluice.reconciler.rollouts.run import move_rollouts
from sluice.reconciler.runtime import Runtime
from sluice.registries.watch import Watch

EVERYTHING, PACKING = "everything", "packing"
FORGE = "forge"  # a source of webhooks
# Deliveries come in swarms: one look serves them all. Seconds between the beginnings of two looks.
SHORTEST_PAUSE = 1.0
_STUCK = 30 * 60.0
# Seconds after a signal: what is being done may come to its end, then its connections are cut, and
# then the process ends.
_PATIENT, _LAST = 5.0, 9.0


@dataclass
class Daemon:
    """The loop. What it keeps is for haste and for telling; nothing else depends on it."""

    runtime: Runtime
    diary: Diary
    interval: float
    stop: threading.Event
    wake: threading.Event = field(default_factory=threading.Event)
    forgets: bool = False
    telemetry: Telemetry = field(default_factory=Telemetry)
    patience: Patience = field(default_factory=lambda: Patience(time.monotonic))
    trouble: str = "no cycle has ended yet"
    beat: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)

    def run(self, listen: str | None, verifiers: Mapping[str, Verifier]) -> int:
        """Cycle until a signal; what is being done then is finished."""
        listener = self.listener(verifiers)
        served = serve(listener, listen) if listen else nullcontext(0)
        heard = listen_for_defects(self.telemetry.unforeseen, self.diary.defect)
        with _stop_on_signals(self.asked_to_stop), heard, served as port:
            self.diary.note("started", port=port)
            while not self.stop.is_set():
                wait = self.once()
                self.rest(wait)
        self.diary.note("stopped")
        return 0

    def listener(self, verifiers: Mapping[str, Verifier]) -> Listener:
        """Return what serves this daemon's health, metrics and webhooks."""
        return Listener(self.telemetry, self.is_alive, lambda: self.trouble, self.woken, verifiers)

    def once(self) -> float:
        """Run a cycle; seconds until the next one."""
        self.beat = self.began = time.monotonic()
        wait = self.interval
        try:
            with isolated("a cycle", BrokenPipeError):
                self._cycle()
        except FindingsError as error:
            wait = self._troubled("broken base", error, self.diary.findings(error))
        except UsageError as error:
            wait = self._troubled(cause_of(error, "unreachable"), error, str(error))
        else:
            self.patience.succeeded(EVERYTHING)
            self.telemetry.success(self.runtime.clock())
            self.trouble = ""
        self.telemetry.cycle.observe(time.monotonic() - self.began)
        for what, do in (("counting calls", self._tell_usage), ("packing", self._pack)):
            with suppress(UnforeseenError), isolated(what, BrokenPipeError):
                do()
        return wait

    def woken(self, source: str) -> None:
        """Look now: somebody says that something has changed.

        What is new at the forge shows in what it lists. A registry may have changed what is not
        listed: an evaluation, an approval. Then nothing is remembered.
        """
        self.forgets = self.forgets or source != FORGE
        self.wake.set()

    def asked_to_stop(self) -> None:
        """End after the release that is being dealt with, and soon, whatever remotes do."""
        self.stop.set()
        self.wake.set()

    def is_alive(self) -> bool:
        """Whether the loop has moved of late, or rests as long as it wanted to."""
        return time.monotonic() < self.beat + _STUCK

    def _cycle(self) -> None:
        runtime = replace(self.runtime, is_due=self.patience.is_due, is_stopping=self.stop.is_set)
        outcomes = []
        for outcome in move_rollouts(runtime):
            outcomes.append(outcome)
            self._told("rollout", outcome)
            if self.stop.is_set():
                return
        self.telemetry.following({o.release: o.following for o in outcomes if o.following})
        self.telemetry.asks({o.release: o.asks for o in outcomes if o.asks})
        for outcome in cycle(runtime):
            outcomes.append(outcome)
            self._told("promotion", outcome)
            if outcome.what == "failed":
                self.patience.failed(outcome.release)
            else:
                self.patience.succeeded(outcome.release)
        if not self.stop.is_set():
            self.diary.warning(write_back(runtime, outcomes))

    def _told(self, of: str, outcome: Outcome) -> None:
        self.beat = time.monotonic()
        self.telemetry.outcome(outcome, self.runtime.clock())
        self.diary.outcome(outcome, of)

    def _pack(self) -> None:
        """Tidy up the repository, where that is due and nobody waits for us to end."""
        if self.stop.is_set() or not self.patience.is_due(PACKING):
            return
        try:
            self.runtime.upstream.pack(self.stop.is_set)
        except UsageError as error:
            self.diary.trouble(str(error), self.patience.failed(PACKING))
        else:
            self.patience.succeeded(PACKING)

    def _troubled(self, reason: str, error: Exception, said: str) -> float:
        """Tell what kept the whole cycle from its end; seconds to stay away."""
        asked = float(getattr(error, "seconds", 0.0))
        wait = self.patience.failed(EVERYTHING, max(asked, self.interval))
        self.trouble = "rate limit" if asked else reason
        self.telemetry.failure(self.trouble)
        self.diary.trouble(said, wait)
        return wait

    def rest(self, wait: float) -> None:
        """Wait about so many seconds, or until somebody wakes us.

        A look that took long enough itself is a pause already.
        """
        now, pause = time.monotonic(), wait * self._spread()
        self.beat = now + pause
        shortest = max(0.0, min(wait, SHORTEST_PAUSE) - (now - self.began))
        self.stop.wait(shortest)
        self.wake.wait(max(0.0, pause - shortest))
        self.wake.clear()
        if self.forgets:
            self.forgets = False
            self.runtime.memory.settled.clear()
        if self.stop.is_set():
            self.wake.set()

    def _spread(self) -> float:
        return 0.8 + 0.4 * self.patience.chance()

    def _tell_usage(self) -> None:
        used = self.runtime.forge.usage
        if used is not None:
            calls = {"read": used.calls - used.writes, "write": used.writes, "retry": used.retries}
            self.telemetry.usage("forge", calls, used.remaining)
        if isinstance(self.runtime.registry, Watch):
            self.telemetry.usage("registry", self.runtime.registry.calls, None)
        self.telemetry.usage("git", self.runtime.upstream.calls, None)


def _end_now() -> None:
    """End in the midst of a call that nothing can interrupt; the next run goes on from there."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the loop instead of the process."""

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop()
        for seconds, ending in ((_PATIENT, give_up), (_LAST, _end_now)):
            timer = threading.Timer(seconds, ending)
            timer.daemon = True
            timer.start()
            timers.append(timer)

    timers: list[threading.Timer] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, asked) for number in numbers]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
