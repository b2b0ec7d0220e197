"""What the fields of `serving` say together: models beside the main one, names, limits."""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.catalog.entries import Engine
from sluice.core.catalog.settings import word
from sluice.core.finding import Finding, Severity
from sluice.core.specs.model_records import Companion
from sluice.core.specs.resolve import Release
from sluice.core.units import amount
from sluice.core.workload.arguments import SERVED_NAME, said
from sluice.core.workload.fetching import model_source
from sluice.core.workload.sources import Source, SourceError, parse

_NEEDS_MODEL = {"draft": True, "eagle": True, "eagle3": True, "ngram": False, "mtp": False}
"""Whether a method of speculative decoding has a model of its own."""


def check_serving(release: Release, engine: Engine) -> Iterator[Finding]:
    """What is wrong between fields, each of which the engine knows."""
    yield from _exclusive(release, engine)
    yield from _model(release, engine)
    yield from _speculative(release, engine)
    yield from _adapters(release, engine)
    yield from _limits(release, engine)
    yield from _offload(release)


def _exclusive(release: Release, engine: Engine) -> Iterator[Finding]:
    fields = said(release.spec)
    for together in engine.exclusive:
        present = [path for path in together if _says(path, fields, engine)]
        if len(present) > 1:
            place = release.place(present[1], key=True)
            message = f"{engine.title} takes only one of {' and '.join(present)}"
            yield Finding(place, "ENG013", message, "remove one of them")


def _says(path: str, fields: Mapping[str, Any], engine: Engine) -> bool:
    """Whether a field, or one below it, has a value that needs anything of the engine."""
    return any(
        field == path or field.startswith(f"{path}.")
        for field, value in fields.items()
        if not any(setting.omit == value for setting in engine.fields.get(field, ()))
    )


def _model(release: Release, engine: Engine) -> Iterator[Finding]:
    source = _source(release, engine)
    if source is None:
        return
    if source.scheme == "hf" and "model.revision" not in engine.fields:
        message = f"{engine.title} cannot be told which commit of a repository to serve"
        remedy = "put the weights on a claim and use pvc://"
        yield Finding(release.place("model.source"), "ENG012", message, remedy)
    elif not source.location.endswith(engine.model_suffix):
        message = f"{engine.title} serves one file, whose name ends in {engine.model_suffix}"
        remedy = "append the file's name to the path"
        yield Finding(release.place("model.source"), "ENG012", message, remedy)
    if release.spec.serving.trust_remote_code and not source.revision:
        message = "code that comes with a model runs only from a commit that cannot change"
        remedy = "remove it, or use hf://ORGANISATION/NAME@COMMIT as the source"
        yield Finding(release.place("serving.trustRemoteCode", key=True), "ENG015", message, remedy)
    if release.spec.serving.chat_template and not source.root:
        message = "the chat template is a file on the volume with the weights, and there is none"
        remedy = "use a pvc:// source, or one that is downloaded"
        yield Finding(release.place("serving.chatTemplate", key=True), "ENG016", message, remedy)
    name = release.spec.serving.served_name or release.key.name
    if "/" in name and any(SERVED_NAME in path for path in engine.health.values()):
        message = f"{engine.title} is asked for the model by its name, which cannot hold '/'"
        yield Finding(release.place("serving.servedName"), "ENG012", message, "use another name")


def _source(release: Release, engine: Engine) -> Source | None:
    if not release.spec.model.source:
        return None
    try:
        return model_source(release.spec, engine)
    except SourceError:
        return None  # another check says so


def _speculative(release: Release, engine: Engine) -> Iterator[Finding]:
    speculative = release.spec.serving.speculative
    if speculative is None:
        return
    method, model = speculative.method, speculative.model
    if _NEEDS_MODEL[method] and model is None:
        message = f"{method} needs a model that drafts"
        place = release.place("serving.speculative.method")
        yield Finding(place, "ENG017", message, "add serving.speculative.model")
    if not _NEEDS_MODEL[method] and model is not None:
        place = release.place("serving.speculative.model", key=True)
        yield Finding(place, "ENG017", f"{method} drafts without a model", "remove the model")
    if model is not None:
        yield from _companion(release, engine, "serving.speculative.model", model)


def _adapters(release: Release, engine: Engine) -> Iterator[Finding]:
    names = {release.spec.serving.served_name or release.key.name}
    for index, adapter in enumerate(release.spec.serving.adapters):
        if adapter.name in names:
            place = release.origin(("serving", "adapters", index, "name"))[0]
            message = f"{adapter.name!r} is the name of another model that is served here"
            yield Finding(place, "ENG018", message, "rename the adapter")
        names.add(adapter.name)
        yield from _companion(release, engine, f"serving.adapters.{index}.model", adapter.model)


def _companion(release: Release, engine: Engine, path: str, model: Companion) -> Iterator[Finding]:
    """A model beside the main one is pinned as that is: by a claim, or by a commit if possible."""
    pointer = tuple(int(part) if part.isdigit() else part for part in path.split("."))
    try:
        source = parse(model.source)
    except SourceError as error:
        place = release.origin((*pointer, "source"))[0]
        yield Finding(place, "REF004", str(error), error.remedy)
        return
    if source.revision and f"{path}.revision" not in engine.fields:
        place = release.origin((*pointer, "source"))[0]
        message = f"{engine.title} cannot be told which commit of this repository to use"
        yield Finding(place, "ENG012", message, "put the weights on a claim and use pvc://")


def _limits(release: Release, engine: Engine) -> Iterator[Finding]:
    serving, adapters = release.spec.serving, release.spec.serving.adapters
    given = {"serving.maxLoras": serving.max_loras, "serving.maxLoraRank": serving.max_lora_rank}
    for path, number in given.items():
        if number is not None and not adapters:
            message = f"{path} means nothing without adapters"
            yield Finding(release.place(path, key=True), "ENG014", message, "remove the field")
    most = _limit(serving.max_loras, engine, "serving.maxLoras")
    if most is not None and len(adapters) > most:
        place = release.place("serving.adapters", key=True)
        message = f"{len(adapters)} adapters share the room for {most} in a batch"
        remedy = f"set serving.maxLoras to {len(adapters)} if all are asked for at once"
        yield Finding(place, "ENG019", message, remedy, Severity.WARNING)
    rank = _limit(serving.max_lora_rank, engine, "serving.maxLoraRank")
    for index, adapter in enumerate(adapters):
        if rank is not None and adapter.rank is not None and adapter.rank > rank:
            place = release.origin(("serving", "adapters", index, "rank"))[0]
            message = f"rank {adapter.rank} is above {rank}, the most that is loaded"
            yield Finding(place, "ENG019", message, _greater(engine, adapter.rank))


def _limit(asked: int | None, engine: Engine, path: str) -> int | None:
    limit = engine.limits.get(path) if asked is None else asked
    return None if limit is None else int(limit)


def _greater(engine: Engine, rank: int) -> str:
    """The least rank that the engine can be told and that is enough."""
    for setting in engine.fields.get("serving.maxLoraRank", ()):
        enough = [int(each) for each in setting.accepted() or (word(rank),) if int(each) >= rank]
        if enough:
            return f"set serving.maxLoraRank to {min(enough)}"
    return "use an adapter of a lower rank"


def _offload(release: Release) -> Iterator[Finding]:
    offload, resources = release.spec.serving.kv_offload, release.spec.resources
    size = offload.size if offload else None
    memory = resources.memory.limit if resources.memory else None
    if size and memory and amount(size) >= amount(memory):
        message = f"{size} of cache do not fit into the container's memory of {memory}"
        place = release.place("serving.kvOffload.size")
        yield Finding(place, "ENG020", message, "raise resources.memory.limit")
    shared = resources.shared_memory
    if shared and memory and amount(shared) >= amount(memory):
        message = f"{shared} of shared memory count as memory, of which the container has {memory}"
        place = release.place("resources.sharedMemory")
        yield Finding(place, "ENG020", message, "raise resources.memory.limit")
