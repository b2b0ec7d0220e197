"""Whether an engine, in the version asked for, can do what a release says."""

from collections.abc import Iterator, Mapping, Sequence

from sluice.core.arguments import said
from sluice.core.catalog import Catalog, Engine
from sluice.core.fetching import STREAM, streams
from sluice.core.finding import Finding, Fix, Severity
from sluice.core.names import meant, nearest
from sluice.core.parallel import check_parallel, parallel_of
from sluice.core.references import unknown
from sluice.core.resolve import Release
from sluice.core.serving import check_serving
from sluice.core.settings import DEVICES, Setting, word
from sluice.core.units import version_key

RESERVED = {DEVICES, "lifecycle.drain"}
"""Fields outside `serving` that say something of the deployment too; their `omit` needs nothing."""


def check_engine(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """What the engine cannot honour, field by field and flag by flag."""
    name, version = release.value("engine.name"), release.value("engine.version", "")
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
        for argument in release.value("engine.args", {}):
            yield from _argument(release, engine, argument)
        yield from _targets(release, engine)
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
    version = release.value("engine.version", "")
    if version and version_key(version) < version_key(engine.minimum):
        yield Finding(
            release.place("engine.version"),
            "ENG001",
            f"{engine.title} {version} is older than Sluice knows",
            f"use {engine.minimum} or newer",
        )


def _image(release: Release, engine: Engine, catalog: Catalog) -> Iterator[Finding]:
    accelerator = catalog.accelerator(release.value("accelerator.name", ""))
    own = release.value("engine.image")
    if accelerator and not own and accelerator.image_variant not in engine.images:
        message = f"Sluice knows no image of {engine.title} for {accelerator.title}"
        place = release.place("accelerator.name")
        yield Finding(place, "ENG011", message, "name one in engine.image or use another engine")


def _field(
    release: Release, engine: Engine, field: str, values: Mapping[str, object]
) -> Iterator[Finding]:
    known = engine.fields.get(field, ())
    if field in RESERVED and any(values[field] == setting.omit for setting in known):
        return
    version = release.value("engine.version", "")
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
    value = word(release.value(field))
    for setting in settings:
        accepted = setting.accepted()
        if accepted is not None and value not in accepted:
            close = nearest(value, accepted)
            remedy = f"did you mean {close!r}?" if close else f"one of {', '.join(accepted)}"
            message = f"{engine.title} does not know {value!r} for {field}"
            yield Finding(release.place(field), "ENG003", message, remedy)


def _argument(release: Release, engine: Engine, argument: str) -> Iterator[Finding]:
    place = release.place(f"engine.args.{argument}", key=True)
    title = f"{engine.title} {release.value('engine.version', '')}"
    owner = _owner(release, engine, f"--{argument}")
    removed, deprecated = engine.removed.get(argument), engine.deprecated.get(argument)
    fixed = {engine.config_flag, *engine.bind, *map(_name, engine.metrics_arguments)}
    if owner:
        message = f"--{argument} is what {owner} becomes"
        yield Finding(place, "ENG004", message, f"set {owner} instead")
    elif f"--{argument}" in fixed:
        yield Finding(place, "ENG004", f"--{argument} is always set", "remove it")
    elif removed and version_key(engine.version) >= version_key(removed.since):
        message = f"{title} has no flag --{argument} any more"
        yield Finding(place, "ENG005", message, _instead(removed.successor))
    elif removed or deprecated:
        said_ = removed or deprecated
        what = f"gone from {said_.since} on" if removed and said_ else "deprecated"
        remedy = _instead(said_.successor if said_ else "")
        yield Finding(place, "ENG006", f"--{argument} is {what}", remedy, Severity.WARNING)
    elif release.value(f"engine.args.{argument}") is False:
        message = f"false is the same as leaving --{argument} out"
        yield Finding(place, "ENG021", message, "remove it, or give the flag that says no")
    elif argument not in engine.flags:
        close = nearest(argument, tuple(sorted(engine.flags)))
        remedy = f"did you mean {close!r}?" if close else "see the engine's --help"
        own = meant(argument, tuple(engine.flags))
        fix = Fix(own) if own and release.value(f"engine.args.{own}") is None else None
        yield Finding(place, "ENG007", f"{title} has no flag --{argument}", remedy, fix=fix)


def _instead(successor: str) -> str:
    return f"use {successor}" if successor else "remove it"


def _owner(release: Release, engine: Engine, flag: str) -> str | None:
    """What of a release, if anything, becomes this flag already."""
    spread = parallel_of(release.spec)
    if flag == engine.model_flag:
        return "model.source"
    if flag in map(_name, engine.leader) and (spread.nodes > 1 or flag[2:] not in engine.flags):
        return "parallel.nodes"
    owners = (path for path, settings in engine.fields.items() if flag in _flags(settings))
    owner = next(owners, None)
    if owner != STREAM:
        return owner
    return "weights.load" if streams(release.spec, engine) else None


def _flags(settings: Sequence[Setting]) -> set[str]:
    arguments = {setting.flag for setting in settings}
    for setting in settings:
        arguments.update(setting.extra, *(setting.choices or {}).values())
    return set(map(_name, arguments))


def _name(argument: str) -> str:
    return argument.partition("=")[0]


def _targets(release: Release, engine: Engine) -> Iterator[Finding]:
    for target in release.value("scaling.target", {}):
        if target not in engine.metrics:
            place = release.place(f"scaling.target.{target}", key=True)
            message = f"{engine.title} exports no metric for {target}"
            reason = f": {engine.metrics_reason}" if engine.metrics_reason else ""
            remedy = "scale on another target or set scaling.replicas"
            yield Finding(place, "ENG008", message + reason, remedy)
