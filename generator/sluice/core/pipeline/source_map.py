"""The source map: which line of a spec a place in a rendered object comes from.

No template says so. Instead each scalar of the specs is changed in turn and the release rendered
again: what is different afterwards came from it. That costs some renderings, and is done only where
a rendered object is refused.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sluice.core import layout
from sluice.core.catalog.entries import FAMILIES, Catalog
from sluice.core.documents.load import Document
from sluice.core.documents.manifest import Manifest
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, Place
from sluice.core.specs.resolve import Environment, Release
from sluice.core.workload.bind import TemplateError
from sluice.core.workload.render import Renderer

Subject = Release | Environment
Name = tuple[str, int]
"""An object's kind, and its number among those of its kind: what stays when names change."""
Changes = Mapping[Name, frozenset[Pointer]]
"""What is different after a change; the empty pointer where a whole object came or went."""

_MISFITS = (ArithmeticError, AttributeError, LookupError, TemplateError, TypeError, ValueError)
"""How a rendering fails whose spec no check has seen."""
_NAME = ("metadata", "name")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Specs(Protocol):
    """What the tracing needs to know of a tree of specs."""

    @property
    def environments(self) -> Mapping[str, Environment]:
        """By name."""

    @property
    def releases(self) -> Mapping[layout.Key, Release]:
        """By key."""


@dataclass(frozen=True)
class Origin:
    """One scalar of a spec, and what is different in the rendered objects when it changes."""

    document: Document
    pointer: Pointer
    value: object
    changes: Changes

    def distance(self, said: str) -> tuple[int, int]:
        """How far it is from a rendered value.

        The more of it is seen there, and the fewer other places depend on it, the nearer.
        """
        own = str(self.value)
        seen = len(own) if own in said else 0
        return -seen, sum(map(len, self.changes.values()))

    def reaches(self, name: Name, pointer: Pointer) -> bool:
        """Whether it has a part in what stands at a place of an object, or below it."""
        return any(
            all(a == b for a, b in zip(change, pointer, strict=False))
            for change in self.changes.get(name, ())
        )


class SourceMap:
    """The origins of rendered objects, worked out once for all releases of one shape."""

    def __init__(self, renderer: Renderer, catalog: Catalog) -> None:
        self._renderer = renderer
        self._catalog = catalog
        self._origins: dict[object, list[Origin]] = {}

    def place(self, subject: Subject, manifest: Manifest, pointer: Pointer) -> Place:
        """Where in the specs the value was written that stands at a place of a manifest.

        The most specific scalar behind the value; for a value that is not there, what the scalars
        behind its nearest ancestor have in common; the file, where nothing in it has a part.
        """
        objects = _rendered(subject, self._renderer)
        name = next((name for name, found in objects.items() if found == manifest.data), None)
        if name is None:
            return Place(manifest.source)
        documents = _documents(subject)
        for end in range(len(pointer), 0, -1):
            found = [o for o in self._of(subject, objects) if o.reaches(name, pointer[:end])]
            if found and end == len(pointer):
                said = str(_value(manifest.data, pointer))
                best = min(found, key=lambda origin: origin.distance(said))
                return documents[best.document.path].place(best.pointer)
            if found:
                return _shared(found, documents)
        return Place(manifest.source)

    def _of(self, subject: Subject, objects: Mapping[Name, Any]) -> list[Origin]:
        shape = _shape(subject, objects)
        if shape not in self._origins:
            self._origins[shape] = list(_origins(subject, objects, self._renderer, self._catalog))
        return self._origins[shape]


def located(
    findings: Iterable[Finding],
    specs: Specs,
    manifests: Mapping[str, Manifest],
    source_map: SourceMap,
) -> Iterator[Finding]:
    """Findings about rendered objects, moved to the lines of the specs that are behind them."""
    for finding in findings:
        where = finding.rendered
        manifest = manifests.get(where.file) if where else None
        if where is None or manifest is None:
            yield finding
            continue
        shown = Document(manifest.path, manifest.content(), {}).place(where.pointer)
        rendered = where._replace(line=shown.line, column=shown.column)
        subject = _subject(manifest.source, specs)
        place = source_map.place(subject, manifest, where.pointer) if subject else finding.place
        yield replace(finding, place=place, rendered=rendered)


def _subject(source: str, specs: Specs) -> Subject | None:
    key, name = layout.release_of(source), layout.environment_of(source)
    return specs.releases.get(key) if key else specs.environments.get(name or "")


def _documents(subject: Subject) -> dict[str, Document]:
    """What a subject is rendered from, what is nearest to it first."""
    if isinstance(subject, Environment):
        found = [subject.document]
    else:
        rollout = [subject.rollout] if subject.rollout else []
        found = [subject.document, *rollout, subject.environment.document]
    return {document.path: document for document in found}


def _shared(found: Sequence[Origin], documents: Mapping[str, Document]) -> Place:
    """The nearest common ancestor of origins, in the document that is nearest to the subject."""
    path = next(path for path in documents if any(o.document.path == path for o in found))
    pointers = [origin.pointer for origin in found if origin.document.path == path]
    common: Pointer = pointers[0]
    for pointer in pointers[1:]:
        pairs = zip(common, pointer, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(common), len(pointer)))
        common = common[:same]
    return documents[path].place(common, key=True) if common else Place(path)


def _rendered(subject: Subject, renderer: Renderer) -> dict[Name, Any]:
    manifests = (
        renderer.environment(subject)
        if isinstance(subject, Environment)
        else renderer.release(subject) + renderer.application(subject)
    )
    counts: Counter[str] = Counter()
    objects: dict[Name, Any] = {}
    for manifest in manifests:
        kind = manifest.data["kind"]
        objects[kind, counts[kind]] = manifest.data
        counts[kind] += 1
    return objects


def _shape(subject: Subject, objects: Mapping[Name, Any]) -> object:
    specs = tuple(
        tuple(pointer for pointer, _ in _leaves(document.data))
        for document in _documents(subject).values()
    )
    rendered = tuple((name, *(p for p, _ in _leaves(data))) for name, data in objects.items())
    return type(subject), specs, rendered


def _origins(
    subject: Subject, objects: Mapping[Name, Any], renderer: Renderer, catalog: Catalog
) -> Iterator[Origin]:
    before = {name: dict(_leaves(data)) for name, data in objects.items()}
    for document in _documents(subject).values():
        for pointer, value in _leaves(document.data):
            for other in _others(value, catalog):
                try:
                    after = _rendered(_altered(subject, document, pointer, other), renderer)
                except _MISFITS:
                    continue
                if changes := _changes(before, after):
                    yield Origin(document, pointer, value, changes)
                    break


def _changes(before: Mapping[Name, Mapping[Pointer, Any]], after: Mapping[Name, Any]) -> Changes:
    changes: dict[Name, frozenset[Pointer]] = {}
    for name, old in before.items():
        new = dict(_leaves(after[name])) if name in after else None
        if new is None:
            changes[name] = frozenset({()})
        elif new != old:
            both = old.keys() | new.keys()
            changes[name] = frozenset(p for p in both if old.get(p) != new.get(p))
    return changes


def _altered(
    subject: Subject, document: Document, pointer: Pointer, other: Sequence[object]
) -> Subject:
    """The subject with one scalar changed, or removed where there is no other."""
    changed = replace(document, data=_replaced(document.data, pointer, other))
    if isinstance(subject, Environment):
        renamed = pointer == _NAME and other
        name = str(other[0]) if renamed else subject.name
        return replace(subject, name=name, document=changed)
    if document.path == subject.environment.document.path:
        return replace(subject, environment=replace(subject.environment, document=changed))
    if document.path != subject.document.path:
        return replace(subject, rollout=changed)
    key = subject.key._replace(name=str(other[0])) if pointer == _NAME and other else subject.key
    return replace(subject, document=changed, key=key)


def _others(value: object, catalog: Catalog) -> Iterator[Sequence[object]]:
    """What may stand in the place of a scalar, what is nearest to it first; nothing at last."""
    if isinstance(value, bool):
        yield [not value]
    elif isinstance(value, int | float):
        yield from ([value + 1], [value - 1], [value / 2])
    elif isinstance(value, str):
        if _LAST_NUMBER.search(value):
            yield [_LAST_NUMBER.sub(lambda match: str(int(match[0]) + 1), value)]
        yield [f"{value}x"]
        for family in FAMILIES:
            names = catalog.names(family)
            yield from ([name] for name in names if value in names and name != value)
    yield []


def _replaced(node: Any, pointer: Pointer, values: Sequence[object]) -> Any:  # noqa: ANN401  # any YAML
    """A copy with the value at a pointer replaced, or removed where there is no other."""
    first, rest = pointer[0], pointer[1:]
    below = [_replaced(node[first], rest, values)] if rest else values
    if isinstance(node, Mapping):
        return {
            key: below[0] if key == first else value
            for key, value in node.items()
            if key != first or below
        }
    return [*node[:first], *below, *node[int(first) + 1 :]]


def _value(node: Any, pointer: Pointer) -> object:  # noqa: ANN401  # any YAML
    """The value at a pointer; nothing where it does not lead anywhere."""
    for part in pointer:
        try:
            node = node[part]
        except (LookupError, TypeError):
            return ""
    return node


def _leaves(node: object, pointer: Pointer = ()) -> Iterator[tuple[Pointer, object]]:
    """Every scalar with its pointer, and every empty list or mapping."""
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    empty = True
    for key, value in items:
        empty = False
        yield from _leaves(value, (*pointer, key))
    if empty:
        yield pointer, node
