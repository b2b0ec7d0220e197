"""A text in which people have copied our part: one is ours, and what is theirs stays."""

import pytest

from sluice.core.promotion.message import (
    BEGIN,
    given_back,
    is_emptied,
    marker,
    read_marker,
    stamped,
    withdrawn,
)
from sluice.forges.bodies import join_part, replace_part

HEAD, LIMIT = "1" * 40, 60_000


def ours(version: str) -> str:
    return stamped(
        f"### What changes\n\nVersion {version}.\n\n{marker(version, ())}\n", HEAD
    ).strip()


QUOTED = "\n".join(f"> {line}" for line in ours("2").splitlines())
REMARKED = ours("2").replace("Version 2.", "Version 2. I doubt that.")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{QUOTED}\n\nI doubt that.\n\n", ""),
        ("", f"\n\n{QUOTED}\n\nI doubt that."),
        (f"```\n{REMARKED}\n```\n\n", ""),
        ("", f"\n\n~~~markdown\n{REMARKED}\n~~~\n"),
        (f"{REMARKED}\n\n", ""),
        (f"{BEGIN}\nhalf of a copy\n\n", ""),
        ("", f"\n\n{BEGIN}\nhalf of a copy"),
        ("```\nnever closed\n", ""),
    ],
)
def test_a_copy_stays_as_somebody_left_it(before: str, after: str) -> None:
    there = f"{before}{ours('2')}{after}"
    assert read_marker(there) == ("2", ())
    told = join_part(there, ours("3"), LIMIT)
    assert (told, read_marker(told)) == (f"{before}{ours('3')}{after}", ("3", ()))
    assert join_part(told, ours("3"), LIMIT) == told
    closed = replace_part(f"{there}\n\nWritten meanwhile.", withdrawn(there), LIMIT)
    assert closed.startswith(before)
    assert closed.endswith(f"{after}\n\nWritten meanwhile.")
    assert (read_marker(closed), closed.count("Withdrawn by sluice")) == (None, 1)


def test_what_is_withdrawn_with_an_emptied_text_is_still_no_persons_no() -> None:
    assert is_emptied("Not now.")
    closed = replace_part("Not now.", withdrawn("Not now."), LIMIT)
    assert not is_emptied(closed)
    assert closed.endswith("Not now.")


def test_a_text_without_our_part_is_not_doubled_by_giving_it_back() -> None:
    assert join_part("Mine.", given_back("Mine."), LIMIT).count("Mine.") == 1
