"""What is wrong with an entry of a repository's own catalog, beside the shape that a schema knows.

What an entry names must be there: in the entry itself, among the fields of a release, or in the
rest of the catalog.
"""

from collections.abc import Iterator

from sluice.core.catalog.entries import Family
from sluice.core.checks.engine_entries import check_engine_entry
from sluice.core.checks.surroundings import RULE, Surroundings, check_known
from sluice.core.documents.load import Document
from sluice.core.finding import Finding
from sluice.core.memory.architecture import architecture_from

_SOURCE = "{source}"


def check_entry(
    family: Family, name: str, document: Document, around: Surroundings
) -> Iterator[Finding]:
    """What does not fit together; the entry has passed its schema.

    Args:
        family: the folder that it is in.
        name: that of its file.
        document: the entry.
        around: what it may refer to.
    """
    title = document.data.get("name", name)
    if title != name:
        message = f"the entry is named {title!r}, and its file {name!r}"
        yield Finding(document.place(("name",)), RULE, message, "give both the same name")
    if family == "engines":
        yield from check_engine_entry(document, around)
    elif family == "sources":
        yield from _check_source(name, document, around)
    elif family == "architectures":
        yield from _check_architecture(name, document)
    elif family == "accelerators":
        yield from _check_accelerator(document)
    elif family == "sharing":
        yield from _check_sharing(document)


def _check_source(name: str, document: Document, around: Surroundings) -> Iterator[Finding]:
    entry = document.data
    brought = around.brought("sources", name)
    if brought is None:
        # A scheme is more than its entry: how its sources are written is in no file.
        names = around.names("sources")
        schemes = [scheme for scheme in names if around.brought("sources", scheme)]
        yield from check_known(document, ("name",), name, schemes, "scheme")
        return
    for call in ("directory", "file"):
        if call in brought and call not in entry:
            message = f"nothing says how a {call} is fetched"
            remedy = f"add {call}, as the entry that Sluice brings has it"
            yield Finding(document.place(), RULE, message, remedy)
        elif not any(_SOURCE in part for part in entry.get(call, [_SOURCE])):
            message = f"{call} does not say what to fetch"
            remedy = f"write {_SOURCE} where the source is to stand"
            yield Finding(document.place((call,)), RULE, message, remedy)
    takes = entry.get("takes", {})
    for index, field in enumerate(entry.get("needs", ())):
        if field in ("endpoint", "region", "tokenSecret") and field not in takes:
            message = f"{field} is needed, and becomes no variable"
            place = document.place(("needs", index))
            yield Finding(place, RULE, message, f"add takes.{field}")
    if entry.get("withEndpoint") and "endpoint" not in takes:
        place = document.place(("withEndpoint",), key=True)
        message = "withEndpoint is never used, since takes has no endpoint"
        yield Finding(place, RULE, message, "add takes.endpoint, or remove it")


def _check_architecture(name: str, document: Document) -> Iterator[Finding]:
    try:
        architecture_from(document.data, name)
    except ValueError as error:
        # The message begins with the key, behind the name of the architecture.
        key = str(error).removeprefix(f"architecture {name}: ").partition(" ")[0]
        place = document.place(tuple(key.split(".")))
        yield Finding(place, RULE, str(error), "correct the numbers")


def _check_accelerator(document: Document) -> Iterator[Finding]:
    counts = document.data.get("counts", ())
    for label, values in document.data.get("countSelector", {}).items():
        if len(values) != len(counts):
            message = f"countSelector.{label} has {len(values)} values for {len(counts)} counts"
            place = document.place(("countSelector", label))
            yield Finding(place, RULE, message, "give one value for each of counts")


def _check_sharing(document: Document) -> Iterator[Finding]:
    fields = document.data["fields"]
    for group in ("needs", "exclusive"):
        for index, names in enumerate(document.data.get(group, ())):
            for position, name in enumerate(names):
                pointer = (group, index, position)
                yield from check_known(document, pointer, name, fields, "honoured field")
    for name in document.data.get("amounts", {}):
        yield from check_known(document, ("amounts", name), name, fields, "honoured field")
