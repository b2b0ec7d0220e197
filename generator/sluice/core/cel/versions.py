"""The CEL libraries of Kubernetes, each from the version on in which the API server offers it."""

from collections.abc import Mapping

from sluice.core.cel import regex
from sluice.core.cel.libraries import formats, lists, network, quantity, semver, urls
from sluice.core.cel.libraries.declaration import Overload

Version = tuple[int, int]

OWN: tuple[tuple[Version, tuple[Overload, ...]], ...] = (
    ((1, 0), lists.OVERLOADS),
    ((1, 0), regex.OVERLOADS),
    ((1, 0), urls.OVERLOADS),
    ((1, 28), quantity.OVERLOADS),
    ((1, 30), network.OVERLOADS),
    ((1, 31), formats.OVERLOADS),
    ((1, 33), semver.OVERLOADS),
    ((1, 37), lists.INCLUDES),
)
"""What we implement, since the engine lacks it."""

_ENGINE: tuple[tuple[Version, str, str], ...] = (
    ((1, 28), "{name: optional}", "optMap optFlatMap orValue hasValue optional.of optional.none"),
    ((1, 29), "{name: sets}", "sets.contains sets.equivalent sets.intersects"),
    ((1, 32), "{name: two-var-comprehensions}", "transformList transformMap transformMapEntry"),
    (
        (1, 34),
        "{name: lists, version: 2}",
        "slice flatten distinct lists.range reverse sort sortBy",
    ),
)
_STRINGS_WITH_FORMAT = (1, 29)
OPTIONAL_RESULTS = frozenset(
    one.name for _, overloads in OWN for one in overloads if "optional" in one.result
)
"""Functions of ours that give an optional; when they run, something empty stands for none."""

CROSS_TYPE_COMPARISON = (1, 28)
LITERALS_CHECKED = (1, 29)


def features_of(version: Version) -> Version:
    """The first version that has just the functions of this one; a very old one is itself."""
    steps = {since for since, _ in OWN} | {since for since, _, _ in _ENGINE}
    steps |= {_STRINGS_WITH_FORMAT, CROSS_TYPE_COMPARISON, LITERALS_CHECKED}
    return max((step for step in steps if step <= version), default=version)


def own(version: Version) -> tuple[Overload, ...]:
    """The functions that we implement, as a cluster of this version has them."""
    return tuple(one for since, overloads in OWN if version >= since for one in overloads)


def extensions(version: Version) -> list[str]:
    """The engine's extensions, as a cluster of this version has them, in the engine's YAML."""
    strings = 2 if version >= _STRINGS_WITH_FORMAT else 0
    found = [text for since, text, _ in _ENGINE if version >= since]
    return [*found, f"{{name: strings, version: {strings}}}"]


def introduced() -> Mapping[str, Version]:
    """The version in which each function that is not in every version came, by its last name."""
    found = {"format": _STRINGS_WITH_FORMAT, "quote": _STRINGS_WITH_FORMAT}
    for since, _, names in _ENGINE:
        found |= {name.rpartition(".")[2]: since for name in names.split()}
        found |= {name.partition(".")[0]: since for name in names.split() if "." in name}
    for since, overloads in OWN:
        for one in overloads:
            found.setdefault(one.name.rpartition(".")[2], since)
    return {name: since for name, since in found.items() if since > (1, 0)}
