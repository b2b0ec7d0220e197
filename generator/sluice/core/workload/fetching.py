"""How weights that lie on no volume get into a pod: init containers, credentials, caches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sluice.core import names
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.catalog.stores import Store
from sluice.core.specs.environment_records import SourceAccess
from sluice.core.specs.model_records import Cache, Companion, SecretKey
from sluice.core.specs.reader import written
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment
from sluice.core.workload.sources import FETCHED, Source, SourceError, beside, parse, streamed

STREAM = "model.stream"
"""The field of an engine that says of which schemes it reads weights as they arrive."""

_VOLUME = "fetched"
_LONGEST_CONTAINER = 50
_SCRIPT = """\
target=$1 digest=$2 inner=$3 discard=$4 file=$5; shift 5
[ ! -e "$target/.complete" ] || exit 0
part=$target.${HOSTNAME:-part}; rm -rf "$part"; mkdir -p "$part"; cd "$part"
"$@"
[ ! -d "./$inner" ] || cd "./$inner"
[ -z "$discard" ] || rm -f "./$discard"
sums() { for each in "$1"/* "$1"/.[!.]*; do
  if [ -d "$each" ]; then sums "$each"; elif [ -f "$each" ]; then sha256sum "$each"; fi
done; }
if [ -n "$digest" ]; then
  if [ -n "$file" ]; then sha256sum < "$file"
  else sums . | LC_ALL=C sort | sha256sum; fi > "$part.sum"
  read -r found _ < "$part.sum"; rm "$part.sum"
  [ "$found" = "$digest" ] || { echo "the digest is $found, not $digest" >&2; exit 1; }
fi
: > .complete
[ -e "$target/.complete" ] || mv -T "$PWD" "$target" || [ -e "$target/.complete" ]
cd /; rm -rf "$part"
"""
"""Downloads once, checks, and only then gives the folder its name.

It has no `$(`, which Kubernetes would expand. A restarted container finds it complete; two replicas
on one claim each download their own and the first one wins. The digest of a folder is that of the
sorted lines of sha256sum over its files.
"""


def companions(spec: ReleaseSpec) -> dict[str, Companion]:
    """The models that are served beside the main one, by their paths below spec."""
    speculative = spec.serving.speculative
    draft = speculative.model if speculative else None
    found = {"serving.speculative.model": draft} if draft else {}
    for index, adapter in enumerate(spec.serving.adapters):
        found[f"serving.adapters.{index}.model"] = adapter.model
    return found


def model_source(spec: ReleaseSpec, engine: Engine) -> Source:
    """The main model's source as this engine gets it: from a volume, fetched, or streamed.

    Weights whose digest is known are fetched, since only then can it be checked.
    """
    source = parse(spec.model.source)
    wanted = spec.weights.load or ("download" if spec.model.digest else "stream")
    able = source.fetched and not source.file and can_stream(spec, engine, source.scheme)
    return streamed(source) if able and wanted == "stream" else source


def streams(spec: ReleaseSpec, engine: Engine) -> bool:
    """Whether the engine reads the main model's weights as they arrive."""
    try:
        return model_source(spec, engine).streamed
    except SourceError:  # another check says so
        return False


def can_stream(spec: ReleaseSpec, engine: Engine, scheme: str) -> bool:
    """Whether the engine reads weights of this scheme as they arrive."""
    version = spec.engine.version or engine.version
    return any(
        scheme in (setting.accepted() or ()) and setting.known_in(version)
        for setting in engine.fields.get(STREAM, ())
    )


def all_sources(spec: ReleaseSpec, main: Source) -> list[Source]:
    """The main model's source and those of the models beside it."""
    return [main, *(beside(model.source, main) for model in companions(spec).values())]


def access(environment: Environment, spec: ReleaseSpec, scheme: str) -> SourceAccess:
    """How weights of this scheme are reached; the release's word goes before the environment's."""
    shared, own = environment.spec.storage.sources.get(scheme, SourceAccess()), spec.weights
    return SourceAccess(
        image=shared.image,
        token_secret=own.token_secret or shared.token_secret,
        credentials_secret=own.credentials_secret or shared.credentials_secret,
        service_account=own.service_account or shared.service_account,
        endpoint=own.endpoint or shared.endpoint,
        region=own.region or shared.region,
    )


def parts(
    environment: Environment, spec: ReleaseSpec, main: Source, catalog: Catalog
) -> dict[str, Any]:
    """What the pod has because of where its weights are: containers, variables, volumes."""
    found = all_sources(spec, main)
    fetched = list({source.uri: source for source in found if source.fetched}.values())
    by_engine = {s.scheme: s for s in found if not s.fetched and not s.staged}
    containers = [_container(environment, spec, each, main, catalog) for each in fetched]
    stores = [(_store(catalog, s), access(environment, spec, s)) for s in by_engine]
    return {
        "fetchers": containers,
        "fetch_variables": [v for store, asked in stores for v in variables(store, asked)],
        "credentials": _secrets(asked for _, asked in stores),
        **_volumes(stores, spec.weights.cache, fetched=bool(fetched)),
        "service_account": _account(environment, spec, found),
    }


def ways(environment: Environment, used: Sequence[tuple[ReleaseSpec, Source]]) -> dict[str, Any]:
    """The ports that lead to where weights are, and whether a cloud is asked who the pod is."""
    ports, identity = set(), False
    for spec, main in used:
        for source in all_sources(spec, main):
            if not source.volume:
                asked = access(environment, spec, source.scheme)
                ports.add(_port(asked.endpoint or ""))
                identity = identity or asked.service_account is not None
    return {"source_ports": sorted(ports), "cloud_identity": identity}


def _port(endpoint: str) -> int:
    """The port of an address; that of HTTPS where none is given."""
    host = endpoint.partition("://")[2].partition("/")[0]
    written = host.partition(":")[2]
    return int(written) if written.isdecimal() else 80 if endpoint.startswith("http://") else 443


def _secrets(ways_in: Iterable[SourceAccess]) -> list[str]:
    """The Secrets whose keys become variables."""
    return [asked.credentials_secret for asked in ways_in if asked.credentials_secret]


def _account(environment: Environment, spec: ReleaseSpec, found: Sequence[Source]) -> str | None:
    """The account that a cloud lets read the weights; the release's own when none is named."""
    named = (access(environment, spec, source.scheme).service_account for source in found)
    return next(filter(None, named), None)


def _store(catalog: Catalog, scheme: str) -> Store:
    store = catalog.store(scheme)
    if store is None:
        raise LookupError(f"the catalog has no entry for {scheme}")
    return store


def _container(
    environment: Environment, spec: ReleaseSpec, source: Source, main: Source, catalog: Catalog
) -> dict[str, Any]:
    store = _store(catalog, source.scheme)
    asked = access(environment, spec, source.scheme)
    digest = spec.model.digest or "" if source.uri == main.uri else ""
    environ = [{"name": name, "value": value} for name, value in store.environment.items()]
    return {
        "name": f"fetch-{names.slug(source.folder.removeprefix(FETCHED), _LONGEST_CONTAINER)}",
        "image": asked.image or store.image,
        "command": _command(store, source, digest.removeprefix("sha256:")),
        "variables": [*environ, *variables(store, asked)],
        "credentials": _secrets([asked]),
        "read_only_root": store.read_only_root,
    }


def _command(store: Store, source: Source, digest: str) -> list[str]:
    inner = source.inner if store.nested and not source.file else ""
    call = store.file if source.file else store.directory
    return [
        *("sh", "-euc", _SCRIPT, "fetch"),
        *(source.folder, digest, inner, store.discard, source.file),
        *(part.replace("{source}", source.uri) for part in call),
    ]


def variables(store: Store, asked: SourceAccess) -> Iterator[dict[str, Any]]:
    """The variables by which whoever fetches is told where and as whom."""
    values = written(asked)
    for field, named in store.takes.items():
        value = values.get(field)
        for name in named if value is not None else ():
            yield (
                {"name": name, "valueFrom": {"secretKeyRef": written(value)}}
                if isinstance(value, SecretKey)
                else {"name": name, "value": value}
            )
    if asked.endpoint is not None:
        yield from ({"name": n, "value": v} for n, v in store.with_endpoint.items())


def _volumes(
    stores: Sequence[tuple[Store, SourceAccess]],
    cache: Cache | None,
    *,
    fetched: bool,
) -> dict[str, Any]:
    """The volume for what is fetched, and the one that keeps what the engine downloads."""
    paths = [store.cache for store, _ in stores if store.cache]
    return {
        "fetched_path": FETCHED if fetched else None,
        "fetched_volume": {"name": _VOLUME, **_space(cache)} if fetched else None,
        "hub_path": paths[0] if paths and cache else None,
        "hub_volume": {"name": "hub", **_space(cache)} if paths and cache else None,
    }


def _space(cache: Cache | None) -> dict[str, Any]:
    """A claim that replicas share, a volume of the pod's own, or the node's disk."""
    if cache is None:
        return {"emptyDir": {}}
    if cache.claim is not None:
        return {"persistentVolumeClaim": {"claimName": cache.claim}}
    asked: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": cache.size}},
    }
    if cache.storage_class is not None:
        asked["storageClassName"] = cache.storage_class
    return {"ephemeral": {"volumeClaimTemplate": {"spec": asked}}}
