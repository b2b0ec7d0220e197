"""Plain manifests of the world: a directory of YAML files becomes objects with places."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice import files
from sluice.core.checks.references import link
from sluice.core.documents.limits import OBJECTS
from sluice.core.documents.objects import Part, read_documents, take_apart
from sluice.core.finding import Finding, Place, Severity, UsageError
from sluice.core.kubernetes.rules.problem import Pointer, Problem

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Loaded:
    """One object of a file."""

    path: str
    data: dict[str, Any]
    part: Part

    def place(self, pointer: Pointer = ()) -> Place:
        """The place of a value: of its key where it is a mapping or a list."""
        return self.part.place_of_line(pointer)


@dataclass
class Manifests:
    """What a directory holds, and what is wrong with the rest."""

    objects: list[Loaded] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def pairs(self) -> list[tuple[str, object]]:
        """The objects as the rules about them take them."""
        return [(loaded.path, loaded.data) for loaded in self.objects]

    def located(self, problems: Iterable[Problem]) -> list[Finding]:
        """Problems of these objects as findings in their files."""
        return [
            Finding(
                self.objects[problem.position].place(problem.pointer),
                problem.rule,
                problem.message,
                problem.help,
                problem.severity,
            )
            for problem in problems
        ]


def read_manifests(directory: Path) -> Manifests:
    """Every object in the YAML and JSON files below a directory; links are not followed.

    Raises:
        UsageError: when there is no such directory.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory")
    tree = files.read(directory, ["."], OBJECTS.size)
    manifests = Manifests(findings=[link(_relative(path)) for path in tree.links])
    for path, raw in sorted(tree.files.items()):
        if path.endswith(_SUFFIXES):
            parse_manifests(_relative(path), raw, manifests)
    return manifests


def parse_manifests(path: str, raw: bytes, manifests: Manifests) -> None:
    """Add the objects of one file, or findings about it."""
    for document in read_documents(path, raw, manifests.findings):
        if document.data is not None:
            for part in take_apart(document):
                _add(part, manifests)


def _relative(path: str) -> str:
    return path.removeprefix("./")


def _add(part: Part, manifests: Manifests) -> None:
    data = part.data if isinstance(part.data, dict) else {}
    if isinstance(data.get("apiVersion"), str) and isinstance(data.get("kind"), str):
        manifests.objects.append(Loaded(part.path, data, part))
        return
    message = "no Kubernetes object: apiVersion or kind is missing"
    remedy = "keep other files elsewhere"
    place = part.place_of_line()
    manifests.findings.append(Finding(place, "YAML013", message, remedy, Severity.NOTE))
