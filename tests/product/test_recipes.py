"""The recipes of CONTRIBUTING hold for all that there is, and notice each step that is left out."""

import re
from pathlib import PurePath

import pytest

from support.recipes import RECIPES, Recipe, missing_steps
from support.trees import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def title(recipe: Recipe) -> str:
    return recipe.title


def written_steps(recipe: Recipe) -> list[str]:
    """The numbered steps under the heading of a recipe."""
    section = TEXT.partition(f"\n### {recipe.title}\n")[2].partition("\n### ")[0]
    return re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("recipe", RECIPES, ids=title)
def test_every_step_was_done_for_all_that_there_is(recipe: Recipe) -> None:
    names = list(recipe.names())
    assert names
    missing = [step for name in names for step in missing_steps(recipe, name)]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("recipe", RECIPES, ids=title)
def test_each_step_that_is_left_out_is_named(recipe: Recipe) -> None:
    assert recipe.sample not in recipe.names()
    missing = missing_steps(recipe, recipe.sample)
    assert len(missing) == len(recipe.steps)
    for step, message in zip(recipe.steps, missing, strict=True):
        assert step.place in message


@pytest.mark.parametrize("recipe", RECIPES, ids=title)
def test_the_steps_are_those_that_are_written(recipe: Recipe) -> None:
    written = written_steps(recipe)
    assert len(written) == len(recipe.steps), f"{recipe.title}: steps without a check, or reverse"
    for step, text in zip(recipe.steps, written, strict=True):
        assert f"`{step.place}`" in text, f"{recipe.title}: no step names {step.place}"


def test_what_a_step_names_is_there() -> None:
    for path in re.findall(r"`((?:generator|tests|policies|environments|schemas)/[^`]*)`", TEXT):
        assert list(ROOT.glob(pattern_of(path))), f"CONTRIBUTING.md names {path}"


def pattern_of(path: str) -> str:
    """A path whose NAME may be any."""
    return str(PurePath(path.replace("NAME", "*")))


def test_every_recipe_that_is_written_has_checks() -> None:
    titles = re.findall(r"^### (Add .+)$", TEXT, re.MULTILINE)
    elsewhere = "Add a strategy, a traffic provider, a gate condition"
    assert titles == [*(recipe.title for recipe in RECIPES), elsewhere]
