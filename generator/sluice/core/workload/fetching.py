"""How weights that lie on no volume get into a pod: init containers, credentials, caches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.core import names
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.catalog.stores import Store
from sluice.core.specs.resolve import Environment, Spec, lookup
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


def companions(spec: Spec) -> dict[str, Mapping[str, Any]]:
    """The models that are served beside the main one, by their paths below spec."""
    draft = lookup(spec, "serving.speculative.model")
    found = {"serving.speculative.model": draft} if draft else {}
    for index, adapter in enumerate(lookup(spec, "serving.adapters", ())):
        found[f"serving.adapters.{index}.model"] = adapter["model"]
    return found


def model_source(spec: Spec, engine: Engine) -> Source:
    """The main model's source as this engine gets it: from a volume, fetched, or streamed.

    Weights whose digest is known are fetched, since only then can it be checked.
    """
    source = parse(spec["model"]["source"])
    wanted = lookup(spec, "weights.load", "download" if "digest" in spec["model"] else "stream")
    able = source.fetched and not source.file and can_stream(spec, engine, source.scheme)
    return streamed(source) if able and wanted == "stream" else source


def streams(spec: Spec, engine: Engine) -> bool:
    """Whether the engine reads the main model's weights as they arrive."""
    try:
        return model_source(spec, engine).streamed
    except (SourceError, KeyError):  # another check says so
        return False


def can_stream(spec: Spec, engine: Engine, scheme: str) -> bool:
    """Whether the engine reads weights of this scheme as they arrive."""
    version = lookup(spec, "engine.version", engine.version)
    return any(
        scheme in (setting.accepted() or ()) and setting.known_in(version)
        for setting in engine.fields.get(STREAM, ())
    )


def all_sources(spec: Spec, main: Source) -> list[Source]:
    """The main model's source and those of the models beside it."""
    return [main, *(beside(model["source"], main) for model in companions(spec).values())]


def access(environment: Environment, spec: Spec, scheme: str) -> dict[str, Any]:
    """How weights of this scheme are reached; the release's word goes before the environment's."""
    shared: Mapping[str, Any] = lookup(environment.spec, "storage.sources", {}).get(scheme, {})
    return {**shared, **spec.get("weights", {})}


def parts(environment: Environment, spec: Spec, main: Source, catalog: Catalog) -> dict[str, Any]:
    """What the pod has because of where its weights are: containers, variables, volumes."""
    found = all_sources(spec, main)
    fetched = list({source.uri: source for source in found if source.fetched}.values())
    by_engine = {s.scheme: s for s in found if not s.fetched and not s.staged}
    containers = [_container(environment, spec, each, main, catalog) for each in fetched]
    stores = [(_store(catalog, s), access(environment, spec, s)) for s in by_engine]
    return {
        "fetchers": containers,
        "fetch_variables": [v for store, asked in stores for v in variables(store, asked)],
        "credentials": [asked["credentialsSecret"] for _, asked in stores if _secret(asked)],
        **_volumes(stores, spec.get("weights", {}).get("cache"), fetched=bool(fetched)),
        "service_account": _account(environment, spec, found),
    }


def ways(environment: Environment, used: Sequence[tuple[Spec, Source]]) -> dict[str, Any]:
    """The ports that lead to where weights are, and whether a cloud is asked who the pod is."""
    ports, identity = set(), False
    for spec, main in used:
        for source in all_sources(spec, main):
            if not source.volume:
                asked = access(environment, spec, source.scheme)
                ports.add(_port(asked.get("endpoint", "")))
                identity = identity or "serviceAccount" in asked
    return {"source_ports": sorted(ports), "cloud_identity": identity}


def _port(endpoint: str) -> int:
    """The port of an address; that of HTTPS where none is given."""
    host = endpoint.partition("://")[2].partition("/")[0]
    written = host.partition(":")[2]
    return int(written) if written.isdecimal() else 80 if endpoint.startswith("http://") else 443


def _secret(asked: Mapping[str, Any]) -> bool:
    return "credentialsSecret" in asked


def _account(environment: Environment, spec: Spec, found: Sequence[Source]) -> str | None:
    """The account that a cloud lets read the weights; the release's own when none is named."""
    named = (access(environment, spec, source.scheme).get("serviceAccount") for source in found)
    return next(filter(None, named), None)


def _store(catalog: Catalog, scheme: str) -> Store:
    store = catalog.store(scheme)
    if store is None:
        raise LookupError(f"the catalog has no entry for {scheme}")
    return store


def _container(
    environment: Environment, spec: Spec, source: Source, main: Source, catalog: Catalog
) -> dict[str, Any]:
    store = _store(catalog, source.scheme)
    asked = access(environment, spec, source.scheme)
    digest = spec["model"].get("digest", "") if source.uri == main.uri else ""
    environ = [{"name": name, "value": value} for name, value in store.environment.items()]
    return {
        "name": f"fetch-{names.slug(source.folder.removeprefix(FETCHED), _LONGEST_CONTAINER)}",
        "image": asked.get("image", store.image),
        "command": _command(store, source, digest.removeprefix("sha256:")),
        "variables": [*environ, *variables(store, asked)],
        "credentials": [asked["credentialsSecret"]] if _secret(asked) else [],
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


def variables(store: Store, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The variables by which whoever fetches is told where and as whom."""
    for field, named in store.takes.items():
        value = asked.get(field)
        for name in named if value is not None else ():
            yield (
                {"name": name, "valueFrom": {"secretKeyRef": dict(value)}}
                if isinstance(value, Mapping)
                else {"name": name, "value": value}
            )
    if "endpoint" in asked:
        yield from ({"name": n, "value": v} for n, v in store.with_endpoint.items())


def _volumes(
    stores: Sequence[tuple[Store, Mapping[str, Any]]],
    cache: Mapping[str, str] | None,
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


def _space(cache: Mapping[str, str] | None) -> dict[str, Any]:
    """A claim that replicas share, a volume of the pod's own, or the node's disk."""
    if cache is None:
        return {"emptyDir": {}}
    if "claim" in cache:
        return {"persistentVolumeClaim": {"claimName": cache["claim"]}}
    asked: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": cache["size"]}},
    }
    if "storageClass" in cache:
        asked["storageClassName"] = cache["storageClass"]
    return {"ephemeral": {"volumeClaimTemplate": {"spec": asked}}}
