"""CEL as the API server of one Kubernetes version has it: compiled, checked, run.

Two environments of the engine work together. The first checks types: it knows the fields of
`request`, the types of Kubernetes' libraries, and nothing that the target version lacks. The second
runs the checked tree with functions written in Python.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sluice.core.cel import load, versions
from sluice.core.cel.descriptors import NAMESPACE, REQUEST, Pool
from sluice.core.cel.libraries.declaration import TYPES, Overload
from sluice.core.cel.runtime import CODE, Meter, Program, run_environment
from sluice.core.cel.syntax import Node, Tree
from sluice.core.cel.syntax_wire import read, write
from sluice.core.cel.versions import Version

_PROBLEM = re.compile(
    r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: |\s*\[[A-Z_]+\]$|$)", re.DOTALL
)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_VARIABLE = re.compile(r"undeclared reference to 'variables\.?([^'.]*)")
_CHAIN = re.compile(r"([A-Za-z_]\w*)(?:\s*\.\s*\w+)*\s*$")
"""A name with fields after it, up to where a text ends."""


class Problem(NamedTuple):
    """Why an expression does not compile; line and column count from 1 inside the expression."""

    line: int
    column: int
    message: str


class CompileError(Exception):
    """An expression that the API server would refuse."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in problems))


@dataclass(frozen=True)
class Checked:
    """An expression that compiles: its tree, and its type as the engine knows and prints it."""

    text: str
    tree: Tree
    type: Any
    type_name: str


class Engine:
    """CEL of one Kubernetes version; `engine_for` gives it."""

    def __init__(self, version: Version) -> None:
        self._cel = load.load()
        self._version = version
        self._config = _configuration(version)
        self._checked = self._checking(versions.own(version))
        self._meter = Meter()
        self._run = run_environment(version, self._meter)
        self._pool = Pool({"AdmissionRequest": REQUEST, "Namespace": NAMESPACE})

    def checker(
        self,
        variables: Mapping[str, Any],
        *,
        params: bool,
        pool: Pool | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> "Checker":
        """What compiles expressions.

        Args:
            variables: the types of the policy's variables, by name.
            params: whether the policy has a paramKind.
            pool: message types beyond the engine's own; it must hold those too.
            typed: the message types of `object`, `oldObject` and `params` by name; dyn when absent.
        """
        types = self._cel.Type
        known = {"object": types.DYN, "oldObject": types.DYN} | (
            {"params": types.DYN} if params else {}
        )
        known |= {name: types(message) for name, message in (typed or {}).items()}
        known |= {
            "request": types("kubernetes.AdmissionRequest"),
            "namespaceObject": types("kubernetes.Namespace"),
        }
        known |= {f"variables.{name}": kind for name, kind in variables.items()}
        environment = self._cel.NewEnv(
            descriptor_pool=pool or self._pool,
            config=self._cel.NewEnvConfigFromYaml(self._config),
            variables=known,
            extensions=[self._checked],
        )
        return Checker(environment, self._version)

    def program(self, node: Node) -> Program:
        """A tree made ready to run; one that nests too deeply fails when it is run."""
        try:
            expression = self._run.deserialize(write(node))
        except RuntimeError:
            expression = None
        return Program(expression, self._meter)

    def activation(self, data: Mapping[str, Any]) -> Any:  # noqa: ANN401  # the engine's
        """Values of variables; one serves any number of programs."""
        return self._run.Activation(data=data)

    def dyn(self) -> Any:  # noqa: ANN401  # the engine's
        """The type that may be any."""
        return self._cel.Type.DYN

    def _type(self, name: str) -> Any:  # noqa: ANN401  # the engine's
        types = self._cel.Type
        if name.startswith("list<"):
            return types.List(self._type(name[5:-1]))
        if name.startswith("map<"):
            key, _, value = name[4:-1].partition(",")
            return types.Map(self._type(key.strip()), self._type(value.strip()))
        return types(TYPES[name]) if name in TYPES else getattr(types, name.upper())

    def _checking(self, overloads: Sequence[Overload]) -> Any:  # noqa: ANN401  # the engine's
        declared: dict[str, list[Any]] = {}
        for index, one in enumerate(overloads):
            if "optional" not in one.result:
                declared.setdefault(one.name, []).append(
                    self._cel.Overload(
                        f"k8s_{index}",
                        return_type=self._type(one.result),
                        parameters=[self._type(name) for name in one.parameters],
                        is_member=one.member,
                    )
                )
        if self._version >= versions.CROSS_TYPE_COMPARISON:
            declared |= self._comparisons()
        functions = [self._cel.FunctionDecl(name, some) for name, some in declared.items()]
        return self._cel.CelExtension("kubernetes", functions)

    def _comparisons(self) -> dict[str, list[Any]]:
        """Ordering across number types, which the engine can do and its type checker refuses."""
        types = self._cel.Type
        numbers = {"int": types.INT, "uint": types.UINT, "double": types.DOUBLE}
        pairs = [(a, b) for a in numbers for b in numbers if a != b]
        return {
            f"_{operator}_": [
                self._cel.Overload(
                    f"{name}_{a}_{b}", return_type=types.BOOL, parameters=[numbers[a], numbers[b]]
                )
                for a, b in pairs
            ]
            for operator, name in (("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"))
        }


class Checker:
    """Compiles expressions with one set of variables."""

    def __init__(self, environment: Any, version: Version) -> None:  # noqa: ANN401  # the engine's
        self._environment = environment
        self._version = version

    def check(self, text: str) -> Checked:
        """The checked tree.

        Raises:
            CompileError: with everything that the type checker finds.
        """
        try:
            text.encode()
            expression = self._environment.compile(text)
            tree = read(expression.serialize())
        except (RuntimeError, RecursionError, UnicodeError, ValueError) as error:
            raise CompileError(_problems(str(error), text, self._version)) from None
        kind = expression.return_type()
        return Checked(text, tree, kind, str(kind))


@lru_cache(maxsize=32)
def engine_for(version: Version) -> Engine:
    """The engine of one Kubernetes version, built once."""
    return Engine(version)


def _configuration(version: Version) -> str:
    functions = [one for one in versions.own(version) if "optional" in one.result]
    text = f"extensions: [{', '.join(versions.extensions(version))}]\n"
    if functions:
        text += "functions:\n" + "".join(map(_declared, functions))
    return text


def _declared(one: Overload) -> str:
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


def _problems(message: str, expression: str, version: Version) -> list[Problem]:
    found: list[Problem] = []
    explained: list[Problem] = []
    for line, column, text in _PROBLEM.findall(message):
        better = _explained(text.strip(), version)
        one = Problem(max(int(line), 1), max(int(column), 1), better or text.strip())
        (explained if better else found).append(one)
    lines = expression.split("\n")
    found = [_as_the_server_says(one, lines) for one in found if _first(one.message)]
    return (
        explained or found or [Problem(1, 1, CODE.sub("", message).strip() or "does not compile")]
    )


def _first(message: str) -> bool:
    """Whether a problem is not merely what follows from another one."""
    return "'*error*'" not in message


def _as_the_server_says(problem: Problem, lines: Sequence[str]) -> Problem:
    """A problem in the words of the API server, and where it sees it.

    Of a name that nobody declared the engine tells all fields, and the server the first name.
    """
    text = problem.message.replace(" (in container '')", "").replace("kubernetes.", "")
    if variable := _VARIABLE.match(text):
        said = "no such variable, or one that is declared further down; match conditions know none"
        return problem._replace(message=f"undefined field '{variable[1]}': {said}")
    undeclared = _UNDECLARED.match(text)
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    before, at = line[: problem.column - 1], line[problem.column - 1 : problem.column]
    chain = _CHAIN.search(before) if at == "." else None
    if undeclared and chain and undeclared[1].startswith(f"{chain[1]}."):
        column, said = chain.start() + 1, f"undeclared reference to '{chain[1]}'"
        return problem._replace(column=column, message=said)
    return problem._replace(message=text)


def _explained(message: str, version: Version) -> str:
    """What is really the matter with an undeclared name, where that is known."""
    name = found[1] if (found := _UNDECLARED.search(message)) else ""
    if name.partition(".")[0] == "authorizer":
        return "`authorizer` asks a running API server, so this cannot be decided offline"
    since = versions.introduced().get(name.rpartition(".")[2])
    if since and since > version:
        wanted, target = (".".join(map(str, one)) for one in (since, version))
        return f"`{name}` needs Kubernetes {wanted}, and the target is {target}"
    return ""
