"""What one file says against what others say: catalog, environment, directories, other releases."""

import re
from collections.abc import Iterator, Sequence

from sluice.core import layout
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.gate_rules import check_gates
from sluice.core.checks.rollout_rules import check_rollout
from sluice.core.documents.load import Document
from sluice.core.finding import Finding, Fix, Place
from sluice.core.names import meant, nearest
from sluice.core.rollout.model import LEAVING
from sluice.core.specs.reader import written
from sluice.core.specs.resolve import Release
from sluice.core.workload import sources, values
from sluice.core.workload.scaling import check_scaling

REQUIRED = (
    "model.name",
    "model.version",
    "model.source",
    "engine.name",
    "engine.version",
    "accelerator.name",
)

_RESERVED = re.compile(r"(sluice\.dev|argocd\.argoproj\.io|([a-z-]+\.)*ingress\.kubernetes\.io)/.*")

_OF_RELEASES = {
    "tlsSecret": "give the certificate to the gateway's listener",
    "pool": "use the provider gateway, or remove it",
}
"""What a release may say of `traffic` and only some providers honour, and what to do instead."""


def missing(release: Release) -> Iterator[Finding]:
    """What neither a release nor its environment says, and must."""
    for path in REQUIRED:
        if not release.spec.says(path):
            yield Finding(
                release.place(path),
                "REF002",
                f"spec.{path} is neither here nor among the environment's defaults",
                f"add it here or to spec.defaults in {release.environment.document.path}",
            )


def check_release(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What is wrong with a release beside its shape; its spec has passed the schema."""
    name = release.metadata["name"]
    if name != release.key.name:
        yield misplaced(release.document.place(("metadata", "name")), name, release.key.name)
    yield from reserved(release.document)
    lacking = list(missing(release))
    yield from lacking
    if not lacking:
        yield from _source(release)
        yield from _accelerator(release, catalog)
        yield from _architecture(release, catalog)
        yield from _scaling(release)
        yield from check_scaling(release)
        yield from check_rollout(release, catalog)
        yield from _traffic(release)
        yield from check_gates(release)


def unknown(place: Place, what: str, name: str, known: Sequence[str]) -> Finding:
    """A name that the catalog does not have, with the one that was probably meant."""
    close = nearest(name, tuple(known))
    remedy = f"did you mean {close!r}?" if close else f"known: {', '.join(known)}"
    own = meant(name, tuple(known))
    return Finding(
        place, "REF003", f"unknown {what} {name!r}", remedy, fix=Fix(own) if own else None
    )


def misplaced(place: Place, name: str, directory: str) -> Finding:
    return Finding(
        place,
        "REF001",
        f"the name {name!r} is not that of the directory, {directory!r}",
        "give both the same name",
    )


def reserved(document: Document) -> Iterator[Finding]:
    """Keys that Sluice writes itself, or that would change how objects are applied and routed."""
    for field in ("labels", "annotations"):
        for key in filter(_RESERVED.fullmatch, document.data["metadata"].get(field, {})):
            place = document.place(("metadata", field, key), key=True)
            yield Finding(place, "REF030", f"{key} is for Sluice to write", "use another prefix")


def _source(release: Release) -> Iterator[Finding]:
    try:
        sources.parse(release.spec.model.source)
    except sources.SourceError as error:
        yield Finding(release.place("model.source"), "REF004", str(error), error.remedy)
    leaving = release.rollout is not None and release.rollout.data["spec"]["state"] in LEAVING
    model = release.spec.model
    if not leaving and model.version in model.quarantine:
        message = f"version {model.version} is in quarantine"
        place = release.place("model.version")
        yield Finding(place, "REF011", message, "serve another one or lift the quarantine")


def _accelerator(release: Release, catalog: Catalog) -> Iterator[Finding]:
    name = release.spec.accelerator.name
    if catalog.accelerator(name) is None:
        place = release.place("accelerator.name")
        yield unknown(place, "accelerator", name, catalog.names("accelerators"))
    allowed = release.environment.spec.accelerators.allowed
    if allowed is not None and name not in allowed:
        message = f"the environment does not allow {name!r}"
        place = release.place("accelerator.name")
        yield Finding(place, "REF005", message, f"allowed here: {', '.join(allowed)}")


def _architecture(release: Release, catalog: Catalog) -> Iterator[Finding]:
    name = release.spec.model.architecture
    if name is not None and catalog.architecture(name) is None:
        place = release.place("model.architecture")
        if isinstance(name, str) and name.endswith(".json"):
            message = f"there is no {name} beside the release that could be read"
            yield Finding(place, "REF057", message, "put the model's config.json there")
            return
        yield unknown(place, "architecture", str(name), catalog.names("architectures"))


def _scaling(release: Release) -> Iterator[Finding]:
    scaling, given = release.spec.scaling, release.spec.written("scaling") or {}
    bounds = given.keys() - {"replicas"}
    if "replicas" in given and bounds:
        message = "a fixed number of replicas and an autoscaler exclude each other"
        remedy = "keep `replicas`, or `min`, `max` and `target`"
    elif bounds and not {"max", "target"} <= bounds:
        message, remedy = "an autoscaler needs `max` and a `target`", "add them, or use `replicas`"
    elif bounds and scaling.min > scaling.most:
        message = f"min {scaling.min} is above max {scaling.max}"
        remedy = "raise max or lower min"
    else:
        return
    yield Finding(release.place("scaling", key=True), "REF006", message, remedy)


def _traffic(release: Release) -> Iterator[Finding]:
    traffic, provider = values.traffic(release.environment, release.spec), release.takeover.provider
    if traffic is None and release.spec.says("traffic"):
        place = release.place("traffic", key=True)
        message = "the environment has no traffic provider, so this would do nothing"
        yield Finding(place, "REF009", message, "add spec.traffic to the environment")
    own = written(release.spec.traffic)
    for field, remedy in _OF_RELEASES.items() if provider is not None else ():
        if provider is not None and field in own and field not in provider.fields:
            place = release.place(f"traffic.{field}", key=True)
            message = f"{provider.name} has nothing that {field} could become"
            yield Finding(place, "REF020", message, remedy)
    if traffic is not None and not traffic["host"]:
        place = release.place("traffic", key=True)
        yield Finding(place, "REF009", "the route has no host", "add traffic.host")


def stray(path: str) -> Finding:
    """A file under environments/ that is at no place where Sluice looks."""
    expected = f"{layout.ENVIRONMENTS}/ENVIRONMENT/TEAM/RELEASE/release.yaml"
    message = "no spec belongs here, so nothing would read it"
    return Finding(Place(path), "REF015", message, f"releases are at {expected}")


def odd(path: str) -> Finding:
    """A folder, a pipe or a device in the place of a file."""
    message = "this is no file: a folder, a pipe or a device stands where a file is expected"
    return Finding(Place(path), "REF015", message, "put a file there, or remove it")


def link(path: str) -> Finding:
    """A symbolic link, another repository, a pipe or a device where a file is expected."""
    message = "no file of this repository: a symbolic link, another repository, a pipe or a device"
    return Finding(Place(path), "REF016", message, "put the file itself here")
