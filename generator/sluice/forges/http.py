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
from sluice.forges.answers import Answer, RefusedError, Site, redact, refusal
from sluice.forges.credentials import Credentials
from sluice.forges.limits import (
    MINUTE,
    Budget,
    RateLimitedError,
    asked_to_wait,
    remaining,
    resets,
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
        """Make one call; the path is relative to the API's base, or an address on its host.

        Raises:
            RefusedError: the forge said no.
            RateLimitedError: it wants to be left alone for longer than a call should wait,
                as a limit or since it is out of service.
            UsageError: it cannot be reached, or what answers is no such forge.
        """
        url = path if "://" in path else f"{self.site.base}{path}"
        request = Request(method, url, params, body, repeatable)
        with self._one:
            outcome = self._tried(request, 0)
            for attempt in range(1, ATTEMPTS):
                if isinstance(outcome, Answer):
                    break
                self.usage.retries += 1
                self.timing.sleep(outcome.wait)
                outcome = self._tried(request, attempt)
            if isinstance(outcome, _Setback):
                if isinstance(outcome.error, RateLimitedError):
                    self._spare()
                raise outcome.error
            return outcome

    def pages(
        self, path: str, params: Mapping[str, str | int], size: str, limit: int
    ) -> Iterator[Any]:
        """Yield the items of a list, at most `limit` pages; `size` names the page size's parameter.

        Pages are counted rather than followed: servers behind proxies give links to other hosts.
        """
        seen = 0
        for page in range(1, limit + 1):
            answer = self.call("GET", path, params={**params, size: PAGE, "page": page})
            if not isinstance(answer.data, list):
                raise self.site.not_a_forge()
            yield from answer.data
            seen += len(answer.data)
            if not answer.data or not _more(answer, seen, len(answer.data)):
                return

    def limited(self, said: str) -> RateLimitedError:
        """Make no calls for a while, for a limit that came in an answer of success."""
        self._quiet_until = self.timing.clock() + MINUTE
        return self._limited(_LIMITS, MINUTE, said, _LESS)

    def quoted(self, text: object) -> str:
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
        left = [n // writes for n in self._budget.left(now, PATIENCE, write=True)]
        left += [n // calls for n in self._budget.left(now, PATIENCE, write=False)]
        if self.usage.remaining is not None and self._reset > now + PATIENCE:
            left.append(self.usage.remaining // calls)
        return min(left, default=None)

    def pause(self, attempt: int) -> None:
        """Give a forge time to notice what it was told."""
        self.timing.sleep(self.timing.backoff(attempt))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn an answer without what it should have into one clear line."""
        try:
            yield
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            raise self.site.not_a_forge() from None

    def _tried(self, request: Request, attempt: int) -> Answer | _Setback:
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
        return self._judged(request, answer, attempt)

    def _judged(self, request: Request, answer: Answer, attempt: int) -> Answer | _Setback:
        left = remaining(answer.headers)
        self.usage.remaining = self.usage.remaining if left is None else left
        self._reset = resets(answer.headers, self.timing.clock()) or self._reset
        self.usage.unchanged += answer.unchanged
        if answer.status < HTTPStatus.BAD_REQUEST:
            if answer.data is None and answer.text.strip():
                raise self.site.not_a_forge()
            return answer
        error = refusal(self.site, answer, self.credentials.secrets())
        asked = asked_to_wait(answer.status, answer.headers, answer.text, self.timing.clock())
        if asked and asked.limited:
            return self._left_alone(asked.seconds, error)
        if asked and asked.seconds > PATIENCE:
            self._quiet_until = self.timing.clock() + asked.seconds
            raise self._limited(f"is out of service ({answer.status})", asked.seconds, error.said)
        if answer.status in _PASSING and request.repeatable:
            return _Setback(asked.seconds if asked else self.timing.backoff(attempt), error)
        if answer.status == HTTPStatus.UNAUTHORIZED and self.credentials.renew():
            return _Setback(0.0, error)
        raise error

    def _left_alone(self, seconds: float, error: RefusedError) -> _Setback:
        """Make no calls for a while, and a little more so that not all come back at once."""
        seconds += self.timing.random()
        self._quiet_until = self.timing.clock() + seconds
        limit = self._limited(_LIMITS, seconds, error.said, _LESS)
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
        quiet, own = self._quiet_until - now, self._budget.wait(now, write=request.writes)
        wait = max(quiet, own)
        if wait > PATIENCE:
            what = "wants no calls for a while" if quiet >= own else "has used up our own budget"
            raise self._limited(what, wait, after=_LESS)
        if wait > 0:
            self.timing.sleep(wait)
        self._budget.spend(self.timing.clock(), write=request.writes)

    def _limited(
        self, what: str, seconds: float, said: str = "", after: str = ""
    ) -> RateLimitedError:
        quoted = f" ({said})" if said else ""
        return RateLimitedError(
            f"{self.site} {what}{quoted}: it goes on in {seconds:.0f} s{after}", seconds
        )


def _more(answer: Answer, seen: int, here: int) -> bool:
    """Whether a list goes on: some say so, some count, and some ignore that pages were asked."""
    if "link" in answer.headers:
        return bool(_NEXT.search(answer.headers["link"]))
    total = answer.headers.get("x-total-count", "")
    return str(seen) != total if total else here >= PAGE
