"""Whom CODEOWNERS names, as the forges read it."""

import pytest

from sluice.core.promotion.codeowners import owners, reviewers

PATH = "environments/production/platform/chat/release.yaml"


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("*.yaml", True),
        ("*.yml", False),
        ("/environments/", True),
        ("environments", True),
        ("platform/", True),
        ("/platform/", False),
        ("/environments/*/platform/", True),
        ("/environments/production/*", False),
        ("/environments/**", True),
        ("/environments/**/release.yaml", True),
        ("**/release.yaml", True),
        ("/environments/production/platform/chat/release.yaml", True),
        ("/environments/production/platform/chat/release.yam?", True),
        ("/environments/production/platform/cha", False),
        ("/environments/.*/platform/", False),  # where patterns are regular expressions
        (r"/environments/pro\duction/", True),
        ("[abc", False),
    ],
)
def test_what_a_pattern_fits(pattern: str, fits: bool) -> None:  # noqa: FBT001 - a parameter
    assert owners(f"{pattern} @ada\n", PATH).users == (("ada",) if fits else ())


def test_the_last_line_that_fits_counts_even_when_it_names_nobody() -> None:
    text = "* @all\n/environments/ @ada @models/platform # them\n"
    assert owners(text, PATH) == (("ada",), ("platform",))
    assert owners(text, "README.md") == (("all",), ())
    assert owners(f"{text}/environments/production/\n", PATH) == ((), ())


def test_every_section_has_a_say_and_its_own_default() -> None:
    text = "* @all\n[Models] @ada\nenvironments/\n^[Security][2]\n*.yaml @eve\n[models]\nx @y\n"
    assert owners(text, PATH).users == ("all", "ada", "eve")


def test_comments_and_owners_that_cannot_be_asked_are_left_out() -> None:
    assert owners("# * @no\n\n* ada@example.com @@maintainer @ada\n", PATH) == (("ada",), ())


def test_names_of_people_as_they_are_written() -> None:
    assert reviewers(["@ada", "ada", "bob", "@models/platform", "@a b"]) == (
        ("ada", "bob"),
        ("platform",),
    )
