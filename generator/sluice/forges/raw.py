"""Small things that all kinds of forge write the same way."""

from collections.abc import Collection, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from sluice.core.finding import UsageError
from sluice.forges.answers import Answer, RefusedError
from sluice.forges.http import Transport

Raw = Mapping[str, Any]
RECENT = 3  # pages of what is no longer open
MANY = 100  # pages of anything else


def read_seconds(time: str | None) -> int:
    """Return an ISO time as seconds since the epoch; 0 for none."""
    if not time:
        return 0
    return int(datetime.fromisoformat(time).timestamp())


def quote_segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def fetch_or_none(http: Transport, path: str, also: Collection[int] = ()) -> Answer | None:
    """Return what is at a path, None when there is nothing.

    Args:
        http: the way to the forge.
        path: of what is asked for.
        also: further statuses that say that there is nothing.

    Raises:
        RefusedError: the forge said no for another reason.
    """
    try:
        return http.call("GET", path)
    except RefusedError as error:
        if error.status not in (HTTPStatus.NOT_FOUND, *also):
            raise
        return None


def refuse_nothing_new(branch: str, base: str) -> UsageError:
    """Return the error for a branch without a commit of its own."""
    return UsageError(f"cannot open a pull request: {branch} has no commit that {base} lacks")
