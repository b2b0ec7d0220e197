"""The recipes of CONTRIBUTING.md as checks: for each step, whether it was done for a thing.

A recipe is followed where every step is done for every thing of its kind. Each step names the place
where it is done, as CONTRIBUTING.md does; NAME stands for the name of the thing.
"""

import importlib.util
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import click
import yaml

from sluice.cli import cli
from sluice.forges.kinds import KINDS as FORGES
from sluice.registries import KINDS as REGISTRIES
from sluice.workspace.rule_pages import read_all_pages
from support import engine_cases
from support.forge_deliveries import SIGNED
from support.forge_harness import FAKES
from support.rule_cases import ELSEWHERE, cased_rules, spec_rules
from support.trees import ROOT
from support.verb_calls import LEFT_OUT, arguments, verbs

README = (ROOT / "README.md").read_text("utf-8")
CATALOG = "generator/sluice/catalog"
TABLE_OF_ACCELERATORS = "tests/core/catalog/accelerators.yaml"


@dataclass(frozen=True)
class Step:
    """One step: the place where it is done, and whether that was done for a name."""

    place: str
    is_done: Callable[[str], bool]


@dataclass(frozen=True)
class Recipe:
    """A heading of CONTRIBUTING.md, the things that there are of its kind, and its steps.

    `sample` is a name that nobody has added.
    """

    title: str
    names: Callable[[], Iterable[str]]
    steps: tuple[Step, ...]
    sample: str = "nobody"


def missing_steps(recipe: Recipe, name: str) -> list[str]:
    """What is left to be done for a thing, in words that name the step."""
    return [
        f"{name}: step {number} of {recipe.title!r} in CONTRIBUTING.md is missing: {step.place}"
        for number, step in enumerate(recipe.steps, 1)
        if not step.is_done(name)
    ]


def at(pattern: str) -> Step:
    """A step that is a file of the thing's own."""
    return Step(pattern, lambda name: (ROOT / pattern.replace("NAME", name)).is_file())


def _has_module(module: str) -> bool:
    parent = module.rpartition(".")[0]
    return bool(importlib.util.find_spec(parent) and importlib.util.find_spec(module))


def _connects(name: str) -> bool:
    """Whether the module of a forge, its own or that of one that it speaks like, opens it."""
    module = FORGES[name].module if name in FORGES else f"sluice.forges.{name}"
    return _has_module(module) and hasattr(importlib.import_module(module), "connect")


def _has_scopes(name: str) -> bool:
    """Whether a row of README says what the token of a forge must be allowed to do."""
    table = README.partition("| Forge | Scopes | Role |")[2].partition("\n\n")[0]
    return name in FORGES and FORGES[name].title in table


def _registry_modules() -> set[str]:
    return {kind.client.partition(":")[0].rpartition(".")[2] for kind in REGISTRIES}


def _registry_is_in_readme(name: str) -> bool:
    schemes = [k.schemes for k in REGISTRIES if k.client.startswith(f"sluice.registries.{name}:")]
    return any(f"`{scheme}:" in README or f" {scheme}:" in README for s in schemes for scheme in s)


def _is_verb(name: str) -> bool:
    command: click.Command = cli
    for part in name.split():
        if not isinstance(command, click.Group) or part not in command.commands:
            return False
        command = command.commands[part]
    return True


def _is_verb_in_readme(name: str) -> bool:
    group, _, word = name.partition(" ")
    rows = re.findall(rf"^\| `sluice {group}\b(.*?)`", README, re.MULTILINE)
    return any(not word or word in re.split(r"[\s|\\]+", row) for row in rows)


def _has_arguments(name: str) -> bool:
    if name in LEFT_OUT:
        return True
    try:
        return bool(arguments(name)) and _is_verb(name)
    except KeyError:
        return False


@cache
def _sources() -> str:
    folder = ROOT / "generator" / "sluice" / "core"
    return "".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.py")))


@cache
def _accelerators() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / TABLE_OF_ACCELERATORS).read_text("utf-8")))


def _is_rendered(name: str) -> bool:
    """Whether a release of the reference repository is there to show what an engine renders to."""
    folder = ROOT / "environments" / "lab" / "engines"
    return any(path.name == name or path.name.startswith(f"{name}-") for path in folder.iterdir())


def _stems(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / folder).glob("*.yaml"))


def _says_why(name: str) -> bool:
    path = ROOT / "policies" / f"{name}.yaml"
    text = path.read_text("utf-8") if path.is_file() else ""
    return "sluice.dev/reason:" in text and "sluice.dev/remedy:" in text


def _every_verb() -> list[str]:
    return [*verbs(), *LEFT_OUT]


ENGINE = Recipe(
    "Add an engine",
    lambda: [engine.name for engine in engine_cases.engines()],
    (
        at(f"{CATALOG}/engines/NAME.yaml"),
        at("tests/core/catalog/engines/NAME.yaml"),
        Step("environments/lab/engines/", _is_rendered),
    ),
)
ACCELERATOR = Recipe(
    "Add an accelerator",
    lambda: _stems(f"{CATALOG}/accelerators"),
    (
        at(f"{CATALOG}/accelerators/NAME.yaml"),
        Step(TABLE_OF_ACCELERATORS, lambda name: name in _accelerators()),
    ),
)
POLICY = Recipe(
    "Add a policy",
    lambda: _stems("policies"),
    (
        at("policies/NAME.yaml"),
        Step("metadata.annotations", _says_why),
        at("policies/tests/NAME.yaml"),
    ),
)
FORGE = Recipe(
    "Add a forge",
    lambda: FORGES,
    (
        Step("generator/sluice/forges/NAME.py", _connects),
        Step("generator/sluice/forges/kinds.py", FORGES.__contains__),
        Step("tests/support/forge_harness.py", FAKES.__contains__),
        Step("tests/support/forge_deliveries.py", dict(SIGNED).__contains__),
        Step("README.md", _has_scopes),
    ),
)
REGISTRY = Recipe(
    "Add a registry",
    _registry_modules,
    (
        at("generator/sluice/registries/NAME.py"),
        Step("generator/sluice/registries/__init__.py", lambda name: name in _registry_modules()),
        at("tests/registries/test_NAME.py"),
        Step("README.md", _registry_is_in_readme),
    ),
)
VERB = Recipe(
    "Add a verb",
    _every_verb,
    (
        Step(
            "generator/sluice/commands/NAME.py",
            lambda name: _has_module(f"sluice.commands.{re.sub('[ -]', '_', name)}"),
        ),
        Step("generator/sluice/cli.py", _is_verb),
        Step("README.md", _is_verb_in_readme),
        Step("tests/support/verb_calls.py", _has_arguments),
    ),
)
RULE = Recipe(
    "Add a rule of `check`",
    lambda: sorted(spec_rules() - ELSEWHERE.keys()),
    (
        Step("generator/sluice/core/checks/", lambda name: f'"{name}"' in _sources()),
        Step(f"{CATALOG}/rules/", lambda name: name in read_all_pages()),
        Step("tests/cases/invalid/NAME/expected.txt", lambda name: name in cased_rules()),
    ),
    sample="REF999",
)
RECIPES = (ENGINE, ACCELERATOR, POLICY, FORGE, REGISTRY, VERB, RULE)
