"""Whether a release's weights can be reached from its environment."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.catalog.stores import Store
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, Severity
from sluice.core.names import nearest
from sluice.core.specs.capacity_records import Bounds
from sluice.core.specs.environment_records import SourceAccess
from sluice.core.specs.reader import written
from sluice.core.specs.records import lookup
from sluice.core.specs.resolve import Release
from sluice.core.units import amount, bytes_text, version_key
from sluice.core.workload.fetching import access, all_sources, can_stream, companions, model_source
from sluice.core.workload.places import is_inward, is_listed
from sluice.core.workload.sizing import weights
from sluice.core.workload.sources import Source, SourceError, parse

_MOST_NAMED = 5
_CACHE: Pointer = ("weights", "cache", "claim")
_LOAD = "weights.load"
_CREDENTIALS = ("tokenSecret", "credentialsSecret", "serviceAccount")
_KNOWN_SINCE, _DEFAULT_SINCE = "1.31", "1.35"
"""Versions of Kubernetes in which image volumes are behind a feature gate, and then are not."""


def check_storage(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What is wrong with where the weights come from, where their sources can be read at all."""
    engine = catalog.engine(release.spec.engine.name, release.spec.engine.version)
    placed = list(_placed(release))
    for pointer, source in placed:
        yield from _allowed(release, pointer, source)
        yield from _host(release, pointer, source)
        yield from _claim(release, pointer, source.claim)
        if source.image:
            yield from _image_volume(release, pointer)
    if engine is not None:
        yield from _repositories(release, engine)
    yield from _endpoint(release, sorted({source.scheme for _, source in placed}))
    cache = release.spec.weights.cache
    yield from _claim(release, _CACHE, cache.claim or "" if cache else "")
    if placed and engine is not None and engine.status != "refused":
        yield from _load(release, engine)
        yield from _access(release, engine, catalog)
        yield from _disk(release, engine, catalog)


def _placed(release: Release) -> Iterator[tuple[Pointer, Source]]:
    """Every source that can be read, with where it is written."""
    beside = {path: model.source for path, model in companions(release.spec).items()}
    for path, source in {"model": release.spec.model.source, **beside}.items():
        pointer = tuple(int(part) if part.isdigit() else part for part in path.split("."))
        try:
            yield (*pointer, "source"), parse(source)
        except SourceError:  # REF004 and REF002
            continue


def _claim(release: Release, pointer: Pointer, claim: str) -> Iterator[Finding]:
    known = release.environment.spec.storage.claims
    if claim and known is not None and claim not in known:
        close = nearest(claim, tuple(known))
        listed = f"did you mean {close!r}?" if close else f"it lists {', '.join(known)}"
        remedy = f"{listed}; storage.claims in {release.environment.document.path} is the list"
        message = f"the environment has no claim {claim!r}"
        yield Finding(release.origin(pointer)[0], "REF050", message, remedy)


def _allowed(release: Release, pointer: Pointer, source: Source) -> Iterator[Finding]:
    allowed = release.environment.spec.sources.allowed
    if allowed is not None and not is_listed(source.uri, allowed):
        message = f"the environment allows no weights from {source.uri}"
        remedy = (
            f"use a place that it lists, {', '.join(allowed[:_MOST_NAMED]) or 'none so far'}, or "
            f"add this one to sources.allowed in {release.environment.document.path}"
        )
        yield Finding(release.origin(pointer)[0], "REF096", message, remedy)


def _repositories(release: Release, engine: Engine) -> Iterator[Finding]:
    """Arguments by which an engine would get something from a hub that is not listed."""
    allowed = release.environment.spec.sources.allowed
    arguments = release.spec.engine.args
    if allowed is None:
        return
    for flag in sorted(engine.repositories & arguments.keys()):
        named = str(arguments[flag])
        # A repository has an owner; a path begins at the root, and other words are modes.
        if "/" not in named or named.startswith("/") or is_listed(f"hf://{named}", allowed):
            continue
        message = f"the environment allows nothing from hf://{named}"
        remedy = (
            f"remove it, or add its place to sources.allowed in {release.environment.document.path}"
        )
        yield Finding(release.place(f"engine.args.{flag}"), "REF096", message, remedy)


def _host(release: Release, pointer: Pointer, source: Source) -> Iterator[Finding]:
    """Whether a source sends who fetches it to a machine that nobody meant."""
    path = release.environment.document.path
    message = remedy = ""
    if source.host:
        endpoint = access(release.environment, release.spec, source.scheme).endpoint or ""
        if urlsplit(endpoint).netloc.lower() != source.host.lower():
            message = f"the source names a server of its own, {source.host}"
            remedy = f"write {source.uri}: storage.sources.models.endpoint in {path} is the server"
    elif source.image:
        allowed = release.environment.spec.sources.allowed or ()
        host = source.image.partition("/")[0]
        named = [each for each in allowed if each.startswith("oci://") and each != "oci://"]
        if is_inward(host) and not is_listed(source.uri, named):
            message = f"{host} is a machine within, to which a node would be sent"
            remedy = f"use a registry with a public name, or list oci://{host}/ under "
            remedy += f"sources.allowed in {path}"
    if message:
        yield Finding(release.origin(pointer)[0], "REF097", message, remedy)


def _endpoint(release: Release, schemes: Iterable[str]) -> Iterator[Finding]:
    """Whether a release sends what its environment gives, a token perhaps, to a server of its own.

    Those who own a release may be others than those who own its environment.
    """
    own = lookup(release.document.data["spec"], "weights.endpoint", "")
    path = release.environment.document.path
    if not own:
        return
    for scheme in schemes:
        shared = release.environment.spec.storage.sources.get(scheme, SourceAccess())
        lendable = written(shared).keys() - written(release.spec.weights).keys()
        lent = [name for name in _CREDENTIALS if name in lendable]
        server = shared.endpoint or ""
        if server and urlsplit(server)[:2] != urlsplit(own)[:2]:
            message = f"the environment's server for {scheme}: is {server}, and this is another one"
        elif lent and not server:
            message = f"the environment's {lent[0]} for {scheme}: would go to a server of its own"
        elif not server and release.environment.spec.sources.allowed is not None:
            message = f"sources.allowed of the environment speaks of no such server for {scheme}:"
        else:
            continue
        remedy = f"remove it, or have storage.sources.{scheme}.endpoint in {path} name the server"
        yield Finding(release.place("weights.endpoint"), "REF097", message, remedy)


def _image_volume(release: Release, pointer: Pointer) -> Iterator[Finding]:
    version = release.environment.spec.cluster.kubernetes_version
    gate = release.environment.spec.storage.image_volumes
    message = remedy = ""
    if version_key(version) < version_key(_KNOWN_SINCE):
        message = f"Kubernetes {version} has no image volumes: they came with {_KNOWN_SINCE}"
        remedy = "use a newer cluster, or a source of another kind"
    elif gate is False:
        message = "the environment says that its cluster mounts no images as volumes"
        remedy = "use a source of another kind"
    elif gate is None and version_key(version) < version_key(_DEFAULT_SINCE):
        message = f"Kubernetes {version} has image volumes switched off unless told otherwise"
        remedy = "set storage.imageVolumes in the environment if its feature gate is on"
    if message:
        yield Finding(release.origin(pointer)[0], "REF051", message, remedy)


def _load(release: Release, engine: Engine) -> Iterator[Finding]:
    wanted = release.spec.weights.load
    try:
        source = parse(release.spec.model.source)
    except SourceError:
        return
    able = not source.file and can_stream(release.spec, engine, source.scheme)
    if wanted and not source.fetched:
        message = f"weights of {source.scheme}:// are neither downloaded nor streamed by choice"
        yield Finding(release.place(_LOAD), "REF052", message, "remove weights.load")
    elif wanted == "stream" and not able:
        message = f"{engine.title} cannot read weights of {source.scheme}: as they arrive"
        yield Finding(release.place(_LOAD), "ENG050", message, "use load: download")


def _access(release: Release, engine: Engine, catalog: Catalog) -> Iterator[Finding]:
    """Fields that no source in use takes, and those that one needs and nobody gives."""
    try:
        found = all_sources(release.spec, model_source(release.spec, engine))
    except SourceError:
        return
    stores = {source.scheme: catalog.store(source.scheme) for source in found}
    taken = set().union(*(_taken(s, stores[s.scheme]) for s in found))
    for field in written(release.spec.weights).keys() - {"load"} - taken:
        message = f"no source of this release has a use for weights.{field}"
        place = release.place(f"weights.{field}", key=True)
        yield Finding(place, "REF052", message, "remove it")
    for scheme, store in sorted(stores.items()):
        asked = written(access(release.environment, release.spec, scheme))
        for field in store.needs if store else ():
            if field not in asked:
                message = f"nothing says where {store.title if store else scheme} is"
                remedy = f"set storage.sources.{scheme}.{field} in the environment"
                yield Finding(release.place("model.source"), "REF053", message, remedy)


def _taken(source: Source, store: Store | None) -> set[str]:
    """The fields of `weights` that a source has a use for."""
    if store is None or source.volume:
        return set()
    caches = {"cache"} if source.fetched or store.cache else set()
    return {*store.takes, *caches, "credentialsSecret", "serviceAccount"}


def _disk(release: Release, engine: Engine, catalog: Catalog) -> Iterator[Finding]:
    """Whether weights that are kept on the node's disk are within what the pod may use of it."""
    size = _downloaded_bytes(release, engine, catalog)
    disk = release.spec.resources.ephemeral_storage or Bounds()
    for bound, asked, severity in (
        ("limit", disk.limit, Severity.ERROR),
        ("request", disk.request, Severity.WARNING),
    ):
        path = f"resources.ephemeralStorage.{bound}"
        if asked and amount(asked) < size:
            message = f"weights of {bytes_text(size)} are put on a disk of which {asked} are asked"
            remedy = "raise it, or keep the weights on a volume with weights.cache"
            yield Finding(release.place(path), "FIT020", message, remedy, severity)
            return


def _downloaded_bytes(release: Release, engine: Engine, catalog: Catalog) -> int:
    """What an init container writes to the node's disk; 0 where nothing or where it is unknown."""
    try:
        source = model_source(release.spec, engine)
        known = weights(release.spec, catalog)
    except ValueError:
        return 0
    return known or 0 if source.fetched and not release.spec.weights.cache else 0
