"""CONTRIBUTING is true: its map is the packages', its functions are there, its steps are tested."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import sluice
from support.trees import ROOT

PACKAGE = Path(sluice.__file__).parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
LIVES = ("The life of a promotion", "The life of a rollout")
ROW = re.compile(r"^\| `([\w/]+)` \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(sluice(?:\.\w+)+)`")


def packages() -> list[str]:
    """The packages by their folders, in the order of the layers from the ground up."""
    folders = [path.parent for path in PACKAGE.rglob("__init__.py")]
    names = [path.relative_to(PACKAGE).as_posix() for path in folders if path != PACKAGE]
    order = layers()
    return sorted(names, key=lambda name: [(order.get(part, 0), part) for part in parents(name)])


def parents(name: str) -> list[str]:
    """`core/cel/libraries` is in `core`, in `core/cel`, and itself."""
    parts = name.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def layers() -> dict[str, int]:
    """How high each package stands among its siblings, by the contracts of the imports."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    heights: dict[str, int] = {}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", ()):
            folder = container.removeprefix("sluice").strip(".").replace(".", "/")
            for height, layer in enumerate(reversed(contract["layers"])):
                for name in re.findall(r"\w+", layer):
                    heights[f"{folder}/{name}".strip("/")] = height
    return heights


def first_sentence(package: str) -> str:
    source = (PACKAGE / package / "__init__.py").read_text("utf-8")
    docstring = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    return re.split(r"(?<=\.)\s", docstring, maxsplit=1)[0]


def wanted_map() -> str:
    return "\n".join(f"| `{name}` | {first_sentence(name)} |" for name in packages())


def test_the_map_has_every_package_in_the_words_of_its_docstring_and_in_order() -> None:
    rows = [f"| `{name}` | {text} |" for name, text in ROW.findall(SECTIONS["Where things are"])]
    assert "\n".join(rows) == wanted_map(), f"let the map be:\n{wanted_map()}"


def test_each_layer_is_named_in_words() -> None:
    words, _, _ = SECTIONS["Where things are"].partition("Every package, in that order.")
    shown = set(re.findall(r"`([\w/.]+)`", words))
    tops = {name.partition("/")[0] for name in packages()}
    rooms = {name.split("/")[1] for name in packages() if name.startswith("core/")}
    assert tops - shown == set()
    assert rooms - shown == set()


def test_the_rooms_of_the_core_are_named_from_the_ground_up() -> None:
    words = SECTIONS["Where things are"].partition("The rooms of the core")[2]
    heights = layers()
    named = [heights[f"core/{name}"] for name in re.findall(r"`(\w+)`", words.partition("\n\n")[0])]
    assert named == sorted(named)


@pytest.mark.parametrize("title", LIVES)
def test_a_life_has_ten_steps(title: str) -> None:
    numbers = re.findall(r"^(\d+)\. ", SECTIONS[title], re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("title", LIVES)
def test_each_step_of_a_life_names_where_it_happens(title: str) -> None:
    for step in re.split(r"^\d+\. ", SECTIONS[title], flags=re.MULTILINE)[1:]:
        assert NAMED.search(step), step


@pytest.mark.parametrize("name", sorted(set(NAMED.findall(TEXT))))
def test_what_is_named_is_defined_where_it_is_said_to_be(name: str) -> None:
    module, path = split(name)
    source = ast.parse(Path(importlib.import_module(module).__file__ or "").read_text("utf-8"))
    body: list[ast.stmt] = source.body
    for part in path:
        defined = {
            node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        assert part in defined, f"CONTRIBUTING.md names {name}: {module} defines no {part}"
        body = defined[part].body


def split(name: str) -> tuple[str, list[str]]:
    """A dotted name as its module and what is named in it."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        file = ROOT.joinpath("generator", *parts[:end])
        if file.with_suffix(".py").is_file() or (file / "__init__.py").is_file():
            return ".".join(parts[:end]), parts[end:]
    raise AssertionError(f"CONTRIBUTING.md names {name}: there is no such module")


def test_a_convention_says_always_prefer_or_never() -> None:
    lines = [line for line in SECTIONS["Conventions"].splitlines() if line.startswith("- ")]
    assert len(lines) > 20
    for line in lines:
        assert re.match(r"- (Always|Prefer|Never) ", line), line


def test_the_commands_are_those_of_the_makefile() -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    rows = [line for line in SECTIONS["Set up"].splitlines() if line.startswith("| `make")]
    shown = set(re.findall(r"`make ([\w-]+)`", " ".join(row.split("|")[1] for row in rows)))
    assert shown == set(targets[0].split()) - {"clean"}


def test_links_lead_somewhere() -> None:
    anchors = {anchor_of(title) for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        path, _, anchor = target.partition("#")
        assert not path or (ROOT / path).suffix == ".md"
        assert not anchor or path or anchor in anchors, target


def anchor_of(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
