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
        waits = [window.wait(now) for window in self._list_windows(write=write)]
        return max(waits, default=0.0)

    def spend(self, now: float, *, write: bool) -> None:
        """Count a call."""
        for window in self._list_windows(write=write):
            window.spend(now)

    def count_left(self, now: float, longest: float, *, write: bool) -> list[int]:
        """Calls, or writes, left in each window of more than `longest` seconds.

        Args:
            now: seconds since the epoch.
            longest: seconds; shorter windows are waited for and do not count.
            write: whether it is about writes.
        """
        counts = []
        for window in self.writes if write else self.calls:
            if window.period > longest:
                window.wait(now)  # forgets what was long ago
                counts.append(window.left)
        return counts

    def _list_windows(self, *, write: bool) -> tuple[Window, ...]:
        if not write:
            return self.calls
        return (*self.calls, *self.writes)  # a write is a call as well


class Pause(NamedTuple):
    """For how many seconds a server wants no calls, and whether that is a limit of their rate."""

    seconds: float
    limited: bool


def read_pause(status: int, headers: Mapping[str, str], text: str, now: float) -> Pause | None:
    """Return what an answer asks for, None if it asks nothing.

    Args:
        status: of the answer.
        headers: of the answer; their names in lower case.
        text: its body.
        now: seconds since the epoch.
    """
    after = _retry_after(headers.get("retry-after", ""), now)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and after is not None:
        return Pause(after, limited=False)
    if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if after is not None:
        return Pause(after, limited=True)
    if _read_header(headers, "remaining") == "0":
        reset = _read_number(_read_header(headers, "reset"))
        seconds = MINUTE if reset is None else _measure_until(reset, now)
        return Pause(seconds, limited=True)
    # A limit of its own kind has no header but these words, and comes as "forbidden".
    is_secondary = any(words in text.lower() for words in _SECONDARY)
    if status == HTTPStatus.TOO_MANY_REQUESTS or is_secondary:
        return Pause(MINUTE, limited=True)
    return None


def read_remaining(headers: Mapping[str, str]) -> int | None:
    """Read how many calls the server says are left, if it says so."""
    number = _read_number(_read_header(headers, "remaining"))
    if number is None:
        return None
    return int(number)


def read_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Read when the server counts anew, if it says so: a time in seconds since the epoch."""
    number = _read_number(_read_header(headers, "reset"))
    if number is None:
        return None
    return now + _bound(number - now)


def _read_header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"x-ratelimit-{name}") or headers.get(f"ratelimit-{name}") or ""


def _retry_after(text: str, now: float) -> float | None:
    """Read seconds or a date; nonsense counts as a minute."""
    if not text.strip():
        return None
    number = _read_number(text)
    if number is not None:
        return _bound(number)
    try:
        date = email.utils.parsedate_to_datetime(text)
        if date.tzinfo is None:
            # It is in UTC, as all dates of HTTP are, and not in the zone of this machine.
            date = date.replace(tzinfo=UTC)
        return _bound(date.timestamp() - now)
    except (ValueError, OverflowError):
        return MINUTE


def _measure_until(reset: float, now: float) -> float:
    """Return the seconds until a reset, and one more, since its time has no fractions."""
    if reset >= _FIRST_TIME:
        reset -= now
    return _bound(reset + 1)


def _read_number(text: str) -> float | None:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) >= _DIGITS:
        return None
    return float(digits)


def _bound(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST)
