"""Windows and freezes: when nothing merges by itself, in each time zone and over its changes."""

from datetime import datetime
from typing import Any

import pytest

from sluice.core.gates.windows import described, hold, problem
from sluice.core.specs.reader import read_record
from sluice.core.specs.rollout_records import Period, Promotion

OFFICE = {"schedule": "0 9 * * 1-5", "duration": "8h", "timeZone": "Europe/Berlin"}
YEAR_END = {
    "from": "2026-12-20T00:00",
    "to": "2027-01-04T08:00",
    "timeZone": "Europe/Berlin",
    "reason": "end of the year",
}
NIGHT = {"schedule": "0 22 * * *", "duration": "8h"}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_without_windows_and_freezes_nothing_is_held() -> None:
    assert hold(read_record(Promotion, {}), 0) == ""
    assert hold(read_record(Promotion, {"windows": [], "freezes": []}), 0) == ""


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-20T09:00:00+01:00", ""),
        ("2026-11-20T09:00:30+01:00", ""),
        ("2026-11-20T16:59:59+01:00", ""),
        ("2026-11-20T17:00:00+01:00", "2026-11-23 09:00 Europe/Berlin"),
        ("2026-11-20T08:59:59+01:00", "2026-11-20 09:00 Europe/Berlin"),
        ("2026-11-21T12:00:00+01:00", "2026-11-23 09:00 Europe/Berlin"),
        ("2026-07-01T07:00:00+00:00", ""),
        ("2026-07-01T06:59:00+00:00", "2026-07-01 09:00 Europe/Berlin"),
    ],
)
def test_a_window_is_open_from_its_first_moment_to_before_its_last(now: str, opens: str) -> None:
    assert hold(read_record(Promotion, {"windows": [OFFICE]}), at(now)) == (
        opens and f"the next window opens at {opens}"
    )


def test_a_window_may_last_over_midnight() -> None:
    assert hold(read_record(Promotion, {"windows": [NIGHT]}), at("2026-11-20T02:00:00+00:00")) == ""
    assert hold(read_record(Promotion, {"windows": [NIGHT]}), at("2026-11-20T12:00:00+00:00")) != ""


def test_any_open_window_is_enough_and_the_nearest_is_told() -> None:
    both = {"windows": [OFFICE, NIGHT]}
    assert hold(read_record(Promotion, both), at("2026-11-21T23:00:00+00:00")) == ""
    assert "2026-11-21 22:00 UTC" in hold(
        read_record(Promotion, both), at("2026-11-21T12:00:00+00:00")
    )


def test_a_window_at_an_hour_that_the_clock_leaves_out_opens_after_it() -> None:
    early = {"schedule": "30 2 * * *", "duration": "1h", "timeZone": "Europe/Berlin"}
    assert hold(read_record(Promotion, {"windows": [early]}), at("2026-03-29T03:10:00+02:00")) == ""


@pytest.mark.parametrize("schedule", ["30 2 * * *", "*/30 2 25 10 *", "30 2 * * SUN"])
def test_a_period_in_an_hour_that_comes_twice_lasts_through_both(schedule: str) -> None:
    early = {"schedule": schedule, "duration": "1h", "timeZone": "Europe/Berlin"}
    for now in ("02:31:00+02:00", "02:59:30+02:00", "02:00:00+01:00", "02:29:59+01:00"):
        assert hold(read_record(Promotion, {"freezes": [early]}), at(f"2026-10-25T{now}"))
    for now in ("01:59:59+02:00", "03:30:00+01:00"):
        assert hold(read_record(Promotion, {"freezes": [early]}), at(f"2026-10-25T{now}")) == ""


def test_of_freezes_that_overlap_the_last_to_end_is_told() -> None:
    short = {"from": "2026-12-24T00:00", "to": "2026-12-27T00:00", "timeZone": "Europe/Berlin"}
    for freezes in ([short, YEAR_END], [YEAR_END, short]):
        said = hold(read_record(Promotion, {"freezes": freezes}), at("2026-12-25T10:00:00+01:00"))
        assert "2027-01-04 08:00" in said


def test_a_freeze_goes_before_an_open_window() -> None:
    promotion = {"windows": [OFFICE], "freezes": [YEAR_END]}
    said = "a freeze (end of the year) ends at 2027-01-04 08:00 Europe/Berlin"
    assert hold(read_record(Promotion, promotion), at("2026-12-21T10:00:00+01:00")) == said
    assert hold(read_record(Promotion, promotion), at("2026-12-18T10:00:00+01:00")) == ""
    assert hold(read_record(Promotion, promotion), at("2027-01-04T09:00:00+01:00")) == ""


def test_a_freeze_may_come_again_and_again() -> None:
    friday = {"schedule": "0 12 * * FRI", "duration": "60h", "timeZone": "America/New_York"}
    promotion = {"freezes": [friday]}
    assert hold(read_record(Promotion, promotion), at("2026-11-22T10:00:00-05:00"))
    assert hold(read_record(Promotion, promotion), at("2026-11-20T11:59:59-05:00")) == ""


def test_a_time_with_an_offset_needs_no_zone() -> None:
    freeze = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00+01:00"}
    assert hold(read_record(Promotion, {"freezes": [freeze]}), at("2026-01-01T00:30:00+00:00"))
    assert (
        hold(read_record(Promotion, {"freezes": [freeze]}), at("2026-01-01T01:00:00+00:00")) == ""
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timeZone": "Europe/Atlantis"}, "timeZone"),
        ({"timeZone": "Europe"}, "timeZone"),
        ({"schedule": "0 25 * * *"}, "schedule"),
        ({"schedule": "0 9 30 2 *"}, "schedule"),
        ({"schedule": "often and for long please"}, "schedule"),
        ({"duration": "0s"}, "duration"),
        ({"to": "2026-01-01T00:00"}, "to"),
        ({}, ""),
    ],
)
def test_a_period_that_makes_no_sense_names_the_field(change: dict[str, Any], field: str) -> None:
    assert problem(read_record(Period, OFFICE | change))[0] == field


@pytest.mark.parametrize("period", [OFFICE, NIGHT, YEAR_END])
def test_sound_periods_have_no_problem(period: dict[str, Any]) -> None:
    assert problem(read_record(Period, period)) == ("", "")


def test_what_is_described_does_not_depend_on_the_time() -> None:
    assert list(
        described(read_record(Promotion, {"windows": [OFFICE], "freezes": [YEAR_END]}))
    ) == [
        "only for 8h from 0 9 * * 1-5 on, Europe/Berlin",
        "not from 2026-12-20T00:00 to 2027-01-04T08:00 Europe/Berlin: end of the year",
    ]
