"""Running what the type checker let pass: the engine's second environment, and its values."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.cel import load, regex, versions
from sluice.core.cel.libraries import lists
from sluice.core.cel.libraries.declaration import KIND, TYPES, Overload
from sluice.core.cel.versions import Version

Value = bool | int | float | str | bytes | None

CODE = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
"""What the engine puts around its messages."""

_WORDS = (
    (re.compile(r'Key not found in map : "(.*)"$', re.DOTALL), r"no such key: \1"),
    (re.compile(r"(No matching overloads found|Applying SELECT).*", re.DOTALL), "no such overload"),
    (re.compile(r"divide by zero"), "division by zero"),
    (re.compile(r"Index error: index=(-?\d+) size=\d+"), r"index out of bounds: \1"),
)

EXCEEDED = "cost limit exceeded: it loops more often than a cluster allows"
TOO_DEEP = "nested more deeply than can be judged offline; take parts of it into variables"
_BUDGET = "Iteration budget exceeded"
_VARIABLES = ("object", "oldObject", "request", "namespaceObject", "params")
_RUN_CONFIGURATION = (
    "extensions: [{name: sets}, {name: lists, version: 2}, {name: optional},"
    " {name: strings, version: 2}]"
)


@dataclass(frozen=True, slots=True)
class Failed:
    """What an expression gave instead of a value.

    `certain` tells of one that costs too much that the API server stops it, too.
    """

    message: str
    certain: bool = False

    @property
    def over_budget(self) -> bool:
        """Whether the engine stopped it for looping too often."""
        return _BUDGET in self.message or "cost limit exceeded" in self.message

    @property
    def is_fatal(self) -> bool:
        """Whether nothing is known of what a cluster would say."""
        return self.over_budget or self.message == TOO_DEEP


class Meter:
    """How many elements `lists.range` may still make in the evaluation under way."""

    def __init__(self) -> None:
        self.left = lists.RANGE_LIMIT

    def range(self, count: int) -> list[int]:
        """`lists.range`, which the engine itself would let fill the memory."""
        self.left -= max(count, 0)
        if self.left < 0:
            raise ValueError("cost limit exceeded: lists.range makes too many elements")
        return list(range(count))


class Program:
    """Something that can be run, again and again."""

    __slots__ = ("_bool", "_error", "_expression", "_meter", "_plain", "_string")

    def __init__(self, expression: Any, meter: Meter) -> None:  # noqa: ANN401  # the engine's
        types = load.load().Type
        self._meter = meter
        self._expression = expression
        self._bool, self._error, self._string = types.BOOL, types.ERROR, types.STRING
        self._plain = (types.INT, types.UINT, types.DOUBLE, types.BYTES)

    def run(self, activation: Any) -> Value | Failed | type[object]:  # noqa: ANN401  # the engine's
        """The value; `Failed` for an error; `object` for what is not a scalar.

        The type is asked first: the engine miscounts references to None when it hands out a null.
        """
        if self._expression is None:
            return Failed(TOO_DEEP)
        self._meter.left = lists.RANGE_LIMIT
        try:
            result = self._expression.eval(activation)
        except (RuntimeError, ValueError) as error:
            return _failed(error)
        kind = result.type()
        if kind == self._bool or kind == self._string:  # noqa: PLR1714  # types have no hash
            scalar: Value = result.value()
            return scalar
        if kind == self._error:
            return _failed(result)
        if any(kind == plain for plain in self._plain):
            number: Value = result.value()
            return number
        return None if kind == load.load().Type.NULL else object

    def items(self, activation: Any) -> list[Any] | Failed:  # noqa: ANN401  # the engine's
        """The elements of a list, or the keys of a map."""
        if self._expression is None:
            return Failed(TOO_DEEP)
        self._meter.left = lists.RANGE_LIMIT
        try:
            result = self._expression.eval(activation)
        except (RuntimeError, ValueError) as error:
            return _failed(error)
        if result.type() == self._error:
            return _failed(result)
        value = result.plain_value()
        return list(value) if isinstance(value, list | dict) else Failed("not a list or map")


def _failed(error: object) -> Failed:
    """The engine's message in the words of the API server, where it has some of its own."""
    message = CODE.sub("", str(error))
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    return Failed(message)


def run_environment(version: Version, meter: Meter) -> Any:  # noqa: ANN401  # the engine's
    """The environment that runs trees which were checked elsewhere."""
    engine = load.load()
    return engine.NewEnv(
        config=engine.NewEnvConfigFromYaml(_RUN_CONFIGURATION),
        variables=dict.fromkeys(_VARIABLES, engine.Type.DYN),
        extensions=[_functions(version, meter)],
    )


def _functions(version: Version, meter: Meter) -> Any:  # noqa: ANN401  # the engine's
    engine = load.load()
    functions: dict[str, list[Any]] = {}
    for index, (name, member, kinds, run) in enumerate(_implementations(version, meter)):
        functions.setdefault(name, []).append(
            engine.Overload(
                f"run_{index}",
                return_type=engine.Type.DYN,
                parameters=[getattr(engine.Type, kind) for kind in kinds],
                is_member=member,
                impl=run,
            )
        )
    declared = [engine.FunctionDecl(name, some) for name, some in functions.items()]
    return engine.CelExtension("kubernetes", declared)


Signature = tuple[str, bool, tuple[str, ...]]


def _implementations(
    version: Version, meter: Meter
) -> list[tuple[str, bool, tuple[str, ...], Callable[..., Any]]]:
    """One implementation for each signature that the engine can tell apart when it runs."""
    grouped: dict[Signature, dict[str, Callable[..., Any]]] = {}
    extra = (
        Overload("limit.range", "int -> list<int>", meter.range, member=False),
        Overload("text.matches", "string, string -> bool", regex.matches, member=False),
        Overload("cel.@mapInsert", "map, dyn, dyn -> map", _insert, member=False),
        Overload("cel.@mapInsert", "map, map -> map", _merge, member=False),
    )
    for one in (*versions.own(version), *extra):
        kinds = tuple(_run_kind(name) for name in one.parameters)
        tag = TYPES.get(one.parameters[0], "") if one.parameters else ""
        grouped.setdefault((one.name, one.member, kinds), {})[tag] = one.run
    return [(*signature, _dispatcher(some)) for signature, some in grouped.items()]


def _insert(target: dict[Any, Any], key: object, value: object) -> dict[Any, Any]:
    if key in target:
        raise ValueError(f"insert failed: key {key!r} already exists")
    return {**target, key: value}


def _merge(target: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    for key, value in other.items():
        target = _insert(target, key, value)
    return target


def _run_kind(name: str) -> str:
    base = name.partition("<")[0]
    return "MAP" if base in TYPES else base.upper()


def _dispatcher(some: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    if len(some) == 1:
        return next(iter(some.values()))

    def run(first: Any, *others: Any) -> object:  # noqa: ANN401  # CEL values
        chosen = some.get(first.get(KIND, "") if isinstance(first, dict) else "")
        if chosen is None:
            raise ValueError("no such overload")
        return chosen(first, *others)

    return run
