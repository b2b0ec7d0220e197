"""Whether an engine, in the version asked for, can do what a release says."""

from collections.abc import Iterator, Mapping, Sequence

from sluice.core.capacity.parallel import check_parallel
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.catalog.settings import DEVICES, Setting, word
from sluice.core.checks.engine_flags import check_arguments
from sluice.core.checks.references import unknown
from sluice.core.checks.serving import check_serving
from sluice.core.checks.targets import check_targets
from sluice.core.finding import Finding, Severity
from sluice.core.names import nearest
from sluice.core.specs.resolve import Release
from sluice.core.units import version_key
from sluice.core.workload.arguments import said

RESERVED = {DEVICES, "lifecycle.drain"}
"""Fields outside `serving` that say something of the deployment too; their `omit` needs nothing."""


def check_engine(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What the engine cannot honour, field by field and flag by flag."""
    name, version = release.spec.engine.name, release.spec.engine.version
    engine = catalog.engine(name, version) if name else None
    if name and engine is None:
        yield unknown(release.place("engine.name"), "engine", name, catalog.names("engines"))
    if engine is None:
        return
    yield from _status(release, engine)
    if engine.status != "refused":
        yield from _version(release, engine)
        yield from _image(release, engine, catalog)
        values = {**engine.defaults, **said(release.spec)}
        for field in said(release.spec):
            yield from _field(release, engine, field, values)
        yield from check_arguments(release, engine)
        yield from _targets(release, engine)
        yield from check_targets(release, engine)
        yield from check_parallel(release, engine)
        yield from check_serving(release, engine)


def _status(release: Release, engine: Engine) -> Iterator[Finding]:
    other = " or ".join(engine.alternatives)
    if engine.status == "refused":
        message = f"{engine.title} cannot be served: {engine.reason}"
        yield Finding(release.place("engine.name"), "ENG009", message, f"use {other}")
    elif engine.status == "maintenance":
        message = f"{engine.title} is in maintenance: {engine.reason}"
        place = release.place("engine.name")
        yield Finding(place, "ENG010", message, f"plan a move to {other}", Severity.WARNING)


def _version(release: Release, engine: Engine) -> Iterator[Finding]:
    version = release.spec.engine.version
    if version and version_key(version) < version_key(engine.minimum):
        yield Finding(
            release.place("engine.version"),
            "ENG001",
            f"{engine.title} {version} is older than Sluice knows",
            f"use {engine.minimum} or newer",
        )


def _image(release: Release, engine: Engine, catalog: Catalog) -> Iterator[Finding]:
    accelerator = catalog.accelerator(release.spec.accelerator.name)
    own = release.spec.engine.image
    if accelerator and not own and accelerator.image_variant not in engine.images:
        message = f"Sluice knows no image of {engine.title} for {accelerator.title}"
        place = release.place("accelerator.name")
        yield Finding(place, "ENG011", message, "name one in engine.image or use another engine")
    if release.spec.engine.digest:
        yield from _digest(release, own or "")


def _digest(release: Release, own: str) -> Iterator[Finding]:
    """A digest is of one image: of which one must be plain where it is written."""
    engine = release.document.data["spec"].get("engine", {})
    apart = [
        field
        for field in ("name", "version", "image")
        if release.spec.says(f"engine.{field}") and (field in engine) != ("digest" in engine)
    ]
    if "@" in own:
        message = "engine.image has a digest already"
        yield Finding(release.place("engine.digest"), "ENG054", message, "remove one of the two")
    elif apart:
        where = release.place(f"engine.{apart[-1]}").file
        message = f"the digest and engine.{apart[-1]} are in two files, so that one changes alone"
        place = release.place("engine.digest")
        yield Finding(place, "ENG054", message, f"write both into {where}")


def _field(
    release: Release, engine: Engine, field: str, values: Mapping[str, object]
) -> Iterator[Finding]:
    known = engine.fields.get(field, ())
    if field in RESERVED and any(values[field] == setting.omit for setting in known):
        return
    version = release.spec.engine.version
    current = [setting for setting in known if setting.known_in(version)]
    applying = [setting for setting in current if setting.applies(values)]
    if not current:
        yield _nothing(release, engine, field, known)
    elif not applying:
        others = sorted({f"{path} {word(values.get(path))}" for s in current for path in s.only})
        message = f"{field} means nothing to {engine.title} with {' and '.join(others)}"
        yield Finding(release.place(field, key=True), "ENG014", message, "remove the field")
    else:
        yield from _value(release, engine, field, applying)


def _nothing(release: Release, engine: Engine, field: str, known: Sequence[Setting]) -> Finding:
    since = next((f" before {setting.since}" for setting in known if setting.since), "")
    message = f"{engine.title}{since} has nothing that {field} could become"
    group = ".".join(field.split(".")[:2])
    reason = engine.refused.get(field) or engine.refused.get(group)
    place = release.place(field, key=True)
    return Finding(place, "ENG002", f"{message}: {reason}" if reason else message, "remove it")


def _value(
    release: Release, engine: Engine, field: str, settings: Sequence[Setting]
) -> Iterator[Finding]:
    value = word(release.spec.written(field))
    for setting in settings:
        accepted = setting.accepted()
        if accepted is not None and value not in accepted:
            close = nearest(value, accepted)
            remedy = f"did you mean {close!r}?" if close else f"one of {', '.join(accepted)}"
            message = f"{engine.title} does not know {value!r} for {field}"
            yield Finding(release.place(field), "ENG003", message, remedy)


def _targets(release: Release, engine: Engine) -> Iterator[Finding]:
    for target in release.spec.scaling.target:
        if target not in engine.metrics:
            place = release.place(f"scaling.target.{target}", key=True)
            message = f"{engine.title} exports no metric for {target}"
            reason = f": {engine.metrics_reason}" if engine.metrics_reason else ""
            remedy = "scale on another target or set scaling.replicas"
            yield Finding(place, "ENG008", message + reason, remedy)
