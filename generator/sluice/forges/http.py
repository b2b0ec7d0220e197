"""The one way to a forge: retries, limits, a budget, and lists page by page.

A call is repeated only for reasons that pass, only a few times, and never when that could do
something twice: who calls says whether a call is repeatable.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sluice.core.finding import UsageError
from sluice.core.forge import Usage
from sluice.forges.answers import Answer, RefusedError, Site, make_refusal, redact
from sluice.forges.credentials import Credentials
from sluice.forges.limits import (
    MINUTE,
    Budget,
    RateLimitedError,
    read_pause,
    read_remaining,
    read_reset,
)
from sluice.forges.timing import Timing
from sluice.forges.wire import BrokenError, Request, Wire

ATTEMPTS = 4
PATIENCE = 75.0  # a call never waits longer than this at once, in seconds
PAGE = 100
_SPARED = 3600.0
_PASSING = {408, 500, 502, 503, 504, 520, 521, 522, 523, 524}
_LIMITS = "limits the rate of calls"
_LESS = "; group pull requests or reconcile less often"
_NEXT = re.compile(r'rel="?next\b')


@dataclass(frozen=True, slots=True)
class _Setback:
    """Something that may pass: how long to wait, and what to say if it does not."""

    wait: float
    error: UsageError


class Transport:
    """The calls to one site, one after the other also when threads share it."""

    def __init__(
        self,
        site: Site,
        credentials: Credentials,
        budget: Budget | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.site, self.credentials, self.usage = site, credentials, Usage()
        self.timing = timing or Timing()
        self._budget = budget or Budget()
        self._wire = Wire(site, credentials, self.timing.clock)
        self._one = threading.Lock()
        self._quiet_until = self._spared_until = self._reset = 0.0

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        repeatable: bool = True,
    ) -> Answer:
        """Make one call.

        Args:
            method: of HTTP.
            path: relative to the API's base, or an address on its host.
            params: of the query.
            body: sent as JSON, if there is one.
            repeatable: whether sending it twice does no harm.

        Raises:
            RefusedError: the forge said no.
            RateLimitedError: it wants to be left alone for longer than a call should wait,
                as a limit or since it is out of service.
            UsageError: it cannot be reached, or what answers is no such forge.
        """
        url = path if "://" in path else f"{self.site.base}{path}"
        request = Request(method, url, params, body, repeatable)
        # Forges want calls that write one after the other, and limit who makes them at once.
        with self._one:
            outcome = self._try(request, 0)
            for attempt in range(1, ATTEMPTS):
                if isinstance(outcome, Answer):
                    break
                self.usage.retries += 1
                self.timing.sleep(outcome.wait)
                outcome = self._try(request, attempt)
            if isinstance(outcome, _Setback):
                if isinstance(outcome.error, RateLimitedError):
                    self._spare()
                raise outcome.error
            return outcome

    def walk_pages(
        self, path: str, params: Mapping[str, str | int], size: str, limit: int
    ) -> Iterator[Any]:
        """Yield the items of a list, at most `limit` pages.

        Pages are counted rather than followed: servers behind proxies give links to other hosts.

        Args:
            path: of the list.
            params: of the query.
            size: name of the parameter that sets the size of a page.
            limit: pages at most.

        Raises:
            UsageError: what answers is no such forge, or it fails as `call` does.
        """
        count = 0
        for page in range(1, limit + 1):
            answer = self.call("GET", path, params={**params, size: PAGE, "page": page})
            if not isinstance(answer.data, list):
                raise self.site.make_format_error()
            yield from answer.data
            count += len(answer.data)
            if not answer.data or not _has_more(answer, count, len(answer.data)):
                return

    def obey_limit(self, reason: str) -> RateLimitedError:
        """Make no calls for a while, for a limit that came in an answer of success."""
        self._quiet_until = self.timing.clock() + MINUTE
        return self._make_limit_error(_LIMITS, MINUTE, reason, _LESS)

    def quote(self, text: object) -> str:
        """Return words of the forge as an error may show them: one line, and no secrets."""
        return redact(str(text), self.credentials.secrets())

    def room(self, writes: int, calls: int) -> int | None:
        """For how many things of so many writes, and calls in all, there is room now.

        Only limits that last count, not those for which a call waits; None when there are none. A
        server that had to ask for a long pause is spared for an hour more.
        """
        now = self.timing.clock()
        if now < self._spared_until:
            return 0
        left = [count // writes for count in self._budget.count_left(now, PATIENCE, write=True)]
        left += [count // calls for count in self._budget.count_left(now, PATIENCE, write=False)]
        if self.usage.remaining is not None and self._reset > now + PATIENCE:
            left.append(self.usage.remaining // calls)
        return min(left, default=None)

    def pause(self, attempt: int) -> None:
        """Give a forge time to notice what it was told."""
        self.timing.sleep(self.timing.backoff(attempt))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn an answer without what it should have into one clear line.

        Raises:
            UsageError: what answers is no such forge.
        """
        try:
            yield
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            raise self.site.make_format_error() from None

    def _try(self, request: Request, attempt: int) -> Answer | _Setback:
        self._wait_for_turn(request)
        try:
            answer = self._wire.exchange(request)
        except BrokenError as error:
            if error.sent and not request.repeatable:
                raise
            return _Setback(self.timing.backoff(attempt), error)
        finally:
            self.usage.calls += 1
            self.usage.writes += request.writes
        return self._judge(request, answer, attempt)

    def _judge(self, request: Request, answer: Answer, attempt: int) -> Answer | _Setback:
        left = read_remaining(answer.headers)
        if left is not None:
            self.usage.remaining = left
        self._reset = read_reset(answer.headers, self.timing.clock()) or self._reset
        self.usage.unchanged += answer.unchanged
        if answer.status < HTTPStatus.BAD_REQUEST:
            if answer.data is None and answer.text.strip():
                raise self.site.make_format_error()
            return answer
        error = make_refusal(self.site, answer, self.credentials.secrets())
        pause = read_pause(answer.status, answer.headers, answer.text, self.timing.clock())
        if pause and pause.limited:
            return self._leave_alone(pause.seconds, error)
        if pause and pause.seconds > PATIENCE:
            self._quiet_until = self.timing.clock() + pause.seconds
            raise self._make_limit_error(
                f"is out of service ({answer.status})", pause.seconds, error.reason
            )
        if answer.status in _PASSING and request.repeatable:
            wait = pause.seconds if pause else self.timing.backoff(attempt)
            return _Setback(wait, error)
        if answer.status == HTTPStatus.UNAUTHORIZED and self.credentials.renew():
            return _Setback(0.0, error)
        raise error

    def _leave_alone(self, seconds: float, error: RefusedError) -> _Setback:
        """Make no calls for a while, and a little more so that not all come back at once."""
        seconds += self.timing.random()
        self._quiet_until = self.timing.clock() + seconds
        limit = self._make_limit_error(_LIMITS, seconds, error.reason, _LESS)
        if seconds > PATIENCE:
            self._spare()
            raise limit
        return _Setback(0.0, limit)  # the next attempt waits for its turn

    def _spare(self) -> None:
        """Open as few pull requests as possible for a while: see `room`."""
        self._spared_until = self._quiet_until + _SPARED

    def _wait_for_turn(self, request: Request) -> None:
        """Wait for the budget and for what the forge asked; raise when that takes too long."""
        now = self.timing.clock()
        quiet, budget = self._quiet_until - now, self._budget.wait(now, write=request.writes)
        wait = max(quiet, budget)
        if wait > PATIENCE:
            problem = (
                "wants no calls for a while" if quiet >= budget else "has used up our own budget"
            )
            raise self._make_limit_error(problem, wait, after=_LESS)
        if wait > 0:
            self.timing.sleep(wait)
        self._budget.spend(self.timing.clock(), write=request.writes)

    def _make_limit_error(
        self, problem: str, seconds: float, reason: str = "", after: str = ""
    ) -> RateLimitedError:
        if reason:
            problem = f"{problem} ({reason})"
        message = f"{self.site} {problem}: it goes on in {seconds:.0f} s{after}"
        return RateLimitedError(message, seconds)


def _has_more(answer: Answer, count: int, here: int) -> bool:
    """Whether a list goes on: some say so, some count, and some ignore that pages were asked."""
    if "link" in answer.headers:
        return bool(_NEXT.search(answer.headers["link"]))
    total = answer.headers.get("x-total-count", "")
    if total:
        return str(count) != total
    return here >= PAGE
