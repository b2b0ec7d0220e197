"""When a proposal may merge by itself: windows and freezes, each in its own time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from sluice.core.specs.reader import written
from sluice.core.specs.rollout_records import Period, Promotion
from sluice.core.units import seconds

_MINUTE = timedelta(minutes=1)
# Longer than any change of clocks moves them.
_CLOCK_CHANGE = timedelta(hours=3)


def hold(promotion: Promotion, now: int) -> str:
    """Why nothing merges by itself now, or nothing; a freeze goes before a window.

    Args:
        promotion: the environment's `promotion`; its periods passed `problem`.
        now: seconds since the epoch.
    """
    moment = datetime.fromtimestamp(now, UTC)
    frozen = [(end, each) for each in promotion.freezes if (end := _end(each, moment))]
    if frozen:
        end, freeze = max(frozen, key=lambda found: found[0])
        reason = f" ({freeze.reason})" if freeze.reason else ""
        return f"a freeze{reason} ends at {_shown(end, freeze)}"
    windows = promotion.windows
    if not windows or any(_end(window, moment) for window in windows):
        return ""
    opening, window = min(
        ((_starts(window, moment), window) for window in windows), key=lambda found: found[0]
    )
    return f"the next window opens at {_shown(opening, window)}"


def described(promotion: Promotion) -> Iterator[str]:
    """Each window and freeze in words, the same at any time."""
    for periods, kind in ((promotion.windows, "only"), (promotion.freezes, "not")):
        for period in periods:
            reason = f": {period.reason}" if period.reason else ""
            yield f"{kind} {_span(period)}{reason}"


def problem(period: Period) -> tuple[str, str]:
    """The field of a period that makes no sense, and why; two empty texts when all do."""
    try:
        zone = _zone(period)
    except (KeyError, ValueError, OSError):
        return "timeZone", f"there is no time zone {period.time_zone!r}"
    single = {"from", "to"} & written(period).keys()
    if period.schedule is not None:
        both = "a schedule and single times exclude each other"
        return (min(single), both) if single else _wrong_schedule(period, period.schedule, zone)
    if period.duration is not None:
        return "duration", "single times say already how long it lasts"
    try:
        begin, end = _moment(period, period.from_), _moment(period, period.to)
    except ValueError as error:
        return "from", str(error)
    return ("", "") if begin < end else ("to", "it ends before it begins")


def _wrong_schedule(period: Period, schedule: str, zone: ZoneInfo) -> tuple[str, str]:
    try:
        next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=zone)))
    except CronSimError as error:
        return "schedule", f"not a schedule: {str(error).lower()}"
    except StopIteration:
        return "schedule", "no day is like that"
    return ("", "") if seconds(period.duration or "") else ("duration", "it lasts no time")


def _zone(period: Period) -> ZoneInfo:
    return ZoneInfo(period.time_zone)


def _end(period: Period, moment: datetime) -> datetime | None:
    """When the period that `moment` lies in is over; None when it lies in none."""
    if period.schedule is None:
        begin, over = _moment(period, period.from_), _moment(period, period.to)
        return over if begin <= moment < over else None
    last = _last(period, moment.replace(second=0, microsecond=0))
    if last is None:
        return None
    over = last + timedelta(seconds=seconds(period.duration or ""))
    return over if moment < over else None


def _last(period: Period, minute: datetime) -> datetime | None:
    """When a schedule last began, up to and with a minute."""
    # Backwards it leaves out where it begins, and what falls into an hour that comes twice.
    found = _fire(period, minute + _MINUTE, reverse=True)
    for begun in CronSim(period.schedule or "", (minute - _CLOCK_CHANGE).astimezone(_zone(period))):
        if begun.astimezone(UTC) > minute:
            break
        found = begun.astimezone(UTC)
    return found


def _starts(period: Period, moment: datetime) -> datetime:
    return _fire(period, moment) or datetime.max.replace(tzinfo=UTC)


def _fire(period: Period, moment: datetime, *, reverse: bool = False) -> datetime | None:
    local = moment.astimezone(_zone(period))
    try:
        return next(CronSim(period.schedule or "", local, reverse=reverse)).astimezone(UTC)
    except StopIteration:
        return None


def _moment(period: Period, text: str | None) -> datetime:
    found = datetime.fromisoformat(text or "")
    return (found if found.tzinfo else found.replace(tzinfo=_zone(period))).astimezone(UTC)


def _shown(moment: datetime, period: Period) -> str:
    return f"{moment.astimezone(_zone(period)):%Y-%m-%d %H:%M} {period.time_zone}"


def _span(period: Period) -> str:
    zone = period.time_zone
    if period.schedule is not None:
        return f"for {period.duration} from {period.schedule} on, {zone}"
    return f"from {period.from_} to {period.to} {zone}"
