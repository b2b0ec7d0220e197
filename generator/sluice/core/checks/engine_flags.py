"""Whether the further arguments of an engine are flags of its version, and nobody else's to set."""

from collections.abc import Iterator, Sequence

from sluice.core.capacity.parallel import parallel_of
from sluice.core.catalog.entries import Engine, Flag
from sluice.core.catalog.settings import Setting
from sluice.core.confidential import credentials, is_secret
from sluice.core.finding import Finding, Fix, Place, Severity
from sluice.core.names import meant, nearest
from sluice.core.specs.resolve import Release
from sluice.core.units import version_key
from sluice.core.workload.arguments import said
from sluice.core.workload.fetching import STREAM, streams

_NODES = "parallel.nodes"
_KEY = "serving.apiKeySecret"
_NAMES = {STREAM: "weights.load"}


def check_arguments(release: Release, engine: Engine) -> Iterator[Finding]:
    """What is wrong with `engine.args`, argument by argument."""
    for argument, value in release.spec.engine.args.items():
        if isinstance(value, str) and (is_secret(argument) or credentials(value)):
            yield _secret(release, engine, argument)
        else:
            yield from _argument(release, engine, argument)


def _secret(release: Release, engine: Engine, argument: str) -> Finding:
    message = f"--{argument} would put a secret into Git and into the list of processes"
    key = is_secret(argument) and _KEY in engine.fields
    remedy = f"name the Secret that holds it in {_KEY}" if key else "remove it"
    return Finding(_place(release, argument), "ENG053", message, remedy)


def _argument(release: Release, engine: Engine, argument: str) -> Iterator[Finding]:
    flag = f"--{argument}"
    owner = _owner(release, engine, flag)
    removed, deprecated = engine.removed.get(argument), engine.deprecated.get(argument)
    if owner:
        message = f"{flag} is what {owner} becomes"
        yield Finding(_place(release, argument), "ENG004", message, f"set {owner} instead")
    elif flag in _fixed(engine):
        yield Finding(_place(release, argument), "ENG004", f"{flag} is always set", "remove it")
    elif flag in engine.refused:
        message = f"{flag} is not for a release: {engine.refused[flag]}"
        yield Finding(_place(release, argument), "ENG004", message, "remove it")
    elif going := removed or deprecated:
        yield _going(release, engine, argument, going)
    elif release.spec.engine.args.get(argument) is False:
        message = f"false is the same as leaving {flag} out"
        yield Finding(
            _place(release, argument), "ENG021", message, "remove it, or give the flag that says no"
        )
    elif argument not in engine.flags:
        yield _unknown(release, engine, argument)


def _going(release: Release, engine: Engine, argument: str, flag: Flag) -> Finding:
    """A flag that is gone, or that will be."""
    place, remedy = _place(release, argument), _instead(flag.successor)
    if argument not in engine.removed:
        message = f"--{argument} is deprecated"
    elif version_key(engine.version) >= version_key(flag.since):
        message = f"{_title(release, engine)} has no flag --{argument} any more"
        return Finding(place, "ENG005", message, remedy)
    else:
        message = f"--{argument} is gone from {flag.since} on"
    return Finding(place, "ENG006", message, remedy, Severity.WARNING)


def _unknown(release: Release, engine: Engine, argument: str) -> Finding:
    known = sorted(engine.flags | {flag.removeprefix("--") for flag in _taken(engine)})
    close = nearest(argument, tuple(known))
    own = meant(argument, tuple(known)) if close in engine.flags else None
    fix = Fix(own) if own and own not in release.spec.engine.args else None
    message = f"{_title(release, engine)} has no flag --{argument}"
    remedy = _meant(release, engine, close) if close else "see the engine's --help"
    return Finding(_place(release, argument), "ENG007", message, remedy, fix=fix)


def _meant(release: Release, engine: Engine, close: str) -> str:
    owner = None if close in engine.flags else _owner(release, engine, f"--{close}")
    return f"did you mean {close!r}?" + (f" set {owner} instead" if owner else "")


def _place(release: Release, argument: str) -> Place:
    return release.place(f"engine.args.{argument}", key=True)


def _title(release: Release, engine: Engine) -> str:
    return f"{engine.title} {release.spec.engine.version}"


def _instead(successor: str) -> str:
    return f"use {successor}" if successor else "remove it"


def _owner(release: Release, engine: Engine, flag: str) -> str | None:
    """What of a release, if anything, becomes this flag already."""
    spread = parallel_of(release.spec)
    if flag == engine.model_flag:
        return "model.source"
    if flag in map(_name, (*engine.leader, *engine.worker)) and (
        spread.nodes > 1 or flag[2:] not in engine.flags
    ):
        return _NODES
    owners = (path for path, settings in engine.fields.items() if flag in _flags(settings))
    owner = next(owners, None)
    free = owner and flag[2:] in engine.flags and not _says(release, engine, owner)
    return None if free else _NAMES.get(owner or "", owner)


def _says(release: Release, engine: Engine, field: str) -> bool:
    """Whether this field is at work, so that a flag that comes along with it is taken."""
    return streams(release.spec, engine) if field == STREAM else field in said(release.spec)


def _fixed(engine: Engine) -> set[str]:
    """Flags that are the same in each release."""
    return {engine.config_flag, *engine.bind, *map(_name, engine.metrics_arguments)}


def _taken(engine: Engine) -> set[str]:
    """Flags that are no arguments of a release, since something else sets them."""
    owned = {flag for settings in engine.fields.values() for flag in _flags(settings)}
    return {
        flag
        for flag in owned | set(map(_name, (*engine.leader, *engine.worker)))
        if flag.startswith("--")
    }


def _flags(settings: Sequence[Setting]) -> set[str]:
    arguments = {setting.flag for setting in settings}
    for setting in settings:
        arguments.update(setting.extra, *(setting.choices or {}).values())
    return set(map(_name, arguments))


def _name(argument: str) -> str:
    return argument.partition("=")[0]
