"""Answers that no forge should give."""

from typing import Any

NONSENSE: tuple[Any, ...] = (
    *(None, [], {}, "x", "", -1, 3.7, True, 10**30, float("inf"), [[]], {"a": []}),
    *("2026-99-99", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "\ud800"),
)
