"""What a cycle says of each release, in a line."""

import pytest

from sluice.core.promotion.outcome import Outcome
from sluice.reconciler.daemon.cycle_log import format_line


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("proposed", "a/b/c: proposed version 3 (#7)"),
        (
            "proposed: version 3 0 % -> 10 %, step",
            "a/b/c: proposed: version 3 0 % -> 10 %, step (#7)",
        ),
        ("proposed: version 31 waits", "a/b/c: proposed: version 31 waits version 3 (#7)"),
    ],
)
def test_a_version_is_said_once(what: str, said: str) -> None:
    assert format_line(Outcome("a/b/c", what, "3", 7)) == said
