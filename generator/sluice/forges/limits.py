"""How many calls a server may get, and when it asks to be left alone."""

import email.utils
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from http import HTTPStatus
from typing import NamedTuple

from sluice.core.finding import UsageError

MINUTE = 60.0
_LONGEST = 24 * 3600.0
_DIGITS = 15
_SECONDARY = ("secondary rate limit", "abuse detection")
# A reset below this is not a time but seconds from now: servers differ in that.
_FIRST_TIME = 10**9


class RateLimitedError(UsageError):
    """The server, or our own budget, asks to wait longer than a call should: `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(slots=True)
class Window:
    """At most `limit` calls in any `period` of seconds."""

    limit: int
    period: float
    _spent: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Seconds until there is room for one call."""
        while self._spent and self._spent[0] <= now - self.period:
            self._spent.popleft()
        if len(self._spent) < self.limit:
            return 0.0
        return self._spent[0] + self.period - now

    def spend(self, now: float) -> None:
        """Count one call."""
        self._spent.append(now)

    @property
    def left(self) -> int:
        """Calls left as of the last look."""
        return self.limit - len(self._spent)


@dataclass(frozen=True, slots=True)
class Budget:
    """What we allow ourselves, below what the server allows: all calls, and writes."""

    calls: tuple[Window, ...] = ()
    writes: tuple[Window, ...] = ()

    def wait(self, now: float, *, write: bool) -> float:
        """Seconds until a call may be made."""
        return max((window.wait(now) for window in self._windows(write=write)), default=0.0)

    def spend(self, now: float, *, write: bool) -> None:
        """Count a call."""
        for window in self._windows(write=write):
            window.spend(now)

    def left(self, now: float, longest: float, *, write: bool) -> list[int]:
        """Calls, or writes, left in each window of more than `longest` seconds."""
        windows = [w for w in (self.writes if write else self.calls) if w.period > longest]
        for window in windows:
            window.wait(now)  # forgets what was long ago
        return [window.left for window in windows]

    def _windows(self, *, write: bool) -> tuple[Window, ...]:
        return (*self.calls, *self.writes) if write else self.calls


class Asked(NamedTuple):
    """For how many seconds a server wants no calls, and whether that is a limit of their rate."""

    seconds: float
    limited: bool


def asked_to_wait(status: int, headers: Mapping[str, str], text: str, now: float) -> Asked | None:
    """Return what an answer asks for, None if it asks nothing. Header names are in lower case."""
    after = _retry_after(headers.get("retry-after", ""), now)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and after is not None:
        return Asked(after, limited=False)
    if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if after is not None:
        return Asked(after, limited=True)
    if _header(headers, "remaining") == "0":
        reset = _number(_header(headers, "reset"))
        return Asked(MINUTE if reset is None else _until(reset, now), limited=True)
    limited = status == HTTPStatus.TOO_MANY_REQUESTS
    if limited or any(words in text.lower() for words in _SECONDARY):
        return Asked(MINUTE, limited=True)
    return None


def remaining(headers: Mapping[str, str]) -> int | None:
    """How many calls the server says are left, if it says so."""
    number = _number(_header(headers, "remaining"))
    return None if number is None else int(number)


def resets(headers: Mapping[str, str], now: float) -> float | None:
    """When the server counts anew, if it says so: a time in seconds since the epoch."""
    number = _number(_header(headers, "reset"))
    return None if number is None else now + _bounded(number - now)


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"x-ratelimit-{name}") or headers.get(f"ratelimit-{name}") or ""


def _retry_after(text: str, now: float) -> float | None:
    """Read seconds or a date; nonsense counts as a minute."""
    if not text.strip():
        return None
    number = _number(text)
    if number is not None:
        return _bounded(number)
    try:
        date = email.utils.parsedate_to_datetime(text)
        # Without a zone it is in UTC, as all dates of HTTP are, and not in that of this machine.
        return _bounded((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return MINUTE


def _until(reset: float, now: float) -> float:
    return _bounded((reset if reset < _FIRST_TIME else reset - now) + 1)


def _number(text: str) -> float | None:
    digits = text.strip()
    return (
        float(digits) if digits.isascii() and digits.isdigit() and len(digits) < _DIGITS else None
    )


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST)
