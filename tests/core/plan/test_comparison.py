"""What a plan says has changed: the smallest values that tell it."""

from typing import Any

import pytest

from sluice.core.plan.comparison import Field, compare

ROUTE = {"name": "chat", "weight": 100}


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({"a": 1}, {"b": 2}, [("a", 1, None), ("b", None, 2)]),
        ([1, 2], [1, 3], [("[1]", 2, 3)]),
        ([1], [1, 3], [("", [1], [1, 3])]),
        (
            [ROUTE],
            [{**ROUTE, "weight": 90}, {"name": "chat-v2", "weight": 10}],
            [
                ("[chat].weight", 100, 90),
                ("[chat-v2]", None, {"name": "chat-v2", "weight": 10}),
            ],
        ),
        ([ROUTE, {"name": "b"}], [ROUTE], [("[b]", {"name": "b"}, None)]),
        ([ROUTE, {"name": "b"}], [{"name": "b"}, ROUTE], [("", ["chat", "b"], ["b", "chat"])]),
        ([ROUTE, ROUTE], [ROUTE], [("", [ROUTE, ROUTE], [ROUTE])]),
        (["--a", "--b"], ["--b", "--c", "--d"], [
            ("[]", "--a", None), ("[]", None, "--c"), ("[]", None, "--d"),
        ]),
        (["--a", "--a"], ["--a"], [("", ["--a", "--a"], ["--a"])]),
        ([], ["--a"], [("[]", None, "--a")]),
        ([], [ROUTE], [("[chat]", None, ROUTE)]),
    ],
)  # fmt: skip
def test_the_smallest_values_that_differ(
    before: Any,  # noqa: ANN401  # any JSON value
    after: Any,  # noqa: ANN401  # any JSON value
    fields: list[tuple[str, Any, Any]],
) -> None:
    assert list(compare(before, after)) == [Field(*each) for each in fields]
