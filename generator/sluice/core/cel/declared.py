"""The functions of Kubernetes' libraries, as they are declared to the engine's type checker."""

from typing import Any

from sluice.core.cel import load, versions
from sluice.core.cel.libraries.declaration import TYPES, Overload
from sluice.core.cel.versions import Version


def extension(version: Version) -> Any:  # noqa: ANN401  # the engine's
    """Functions and operators that the engine's own checker does not have."""
    engine = load.load()
    declared: dict[str, list[Any]] = {}
    for index, one in enumerate(versions.own(version)):
        if "optional" not in one.result:
            declared.setdefault(one.name, []).append(_overload(index, one))
    if version >= versions.CROSS_TYPE_COMPARISON:
        declared |= _comparisons()
    functions = [engine.FunctionDecl(name, some) for name, some in declared.items()]
    return engine.CelExtension("kubernetes", functions)


def configuration(version: Version) -> str:
    """The extensions of the engine, and what only its YAML can declare, in that YAML."""
    functions = [one for one in versions.own(version) if "optional" in one.result]
    text = f"extensions: [{', '.join(versions.extensions(version))}]\n"
    if functions:
        text += "functions:\n" + "".join(map(_yaml_function, functions))
    return text


def _overload(index: int, one: Overload) -> Any:  # noqa: ANN401  # the engine's
    return load.load().Overload(
        f"k8s_{index}",
        return_type=_type(one.result),
        parameters=[_type(name) for name in one.parameters],
        is_member=one.member,
    )


def _type(name: str) -> Any:  # noqa: ANN401  # the engine's
    types = load.load().Type
    if name.startswith("list<"):
        return types.List(_type(name[5:-1]))
    if name.startswith("map<"):
        key, _, value = name[4:-1].partition(",")
        return types.Map(_type(key.strip()), _type(value.strip()))
    return types(TYPES[name]) if name in TYPES else getattr(types, name.upper())


def _comparisons() -> dict[str, list[Any]]:
    """Ordering across number types, which the engine can do and its type checker refuses."""
    engine = load.load()
    types = engine.Type
    numbers = {"int": types.INT, "uint": types.UINT, "double": types.DOUBLE}
    pairs = [(a, b) for a in numbers for b in numbers if a != b]
    return {
        f"_{operator}_": [
            engine.Overload(
                f"{name}_{a}_{b}", return_type=types.BOOL, parameters=[numbers[a], numbers[b]]
            )
            for a, b in pairs
        ]
        for operator, name in (("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"))
    }


def _yaml_function(one: Overload) -> str:
    """A function with an optional result, which only the engine's YAML can declare."""
    parameters = [f"{{type_name: {TYPES.get(name, name)}}}" for name in one.parameters]
    target = f"target: {parameters.pop(0)}, " if one.member else ""
    arguments = f"args: [{', '.join(parameters)}], "
    result = f"return: {_yaml_type(one.result)}"
    return f"- name: {one.name}\n  overloads: [{{id: {one.name}, {target}{arguments}{result}}}]\n"


def _yaml_type(name: str) -> str:
    for prefix, engine_name in (("optional<", "optional_type"), ("list<", "list")):
        if name.startswith(prefix):
            inner = _yaml_type(name[len(prefix) : -1])
            return f"{{type_name: {engine_name}, params: [{inner}]}}"
    return f"{{type_name: {TYPES.get(name, name)}}}"
