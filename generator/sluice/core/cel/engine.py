"""CEL as the API server of one Kubernetes version has it: compiled, checked, run.

Two environments of the engine work together. The first checks types: it knows the fields of
`request`, the types of Kubernetes' libraries, and nothing that the target version lacks. The second
runs the checked tree with functions written in Python.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sluice.core.cel import load, versions
from sluice.core.cel.checking import Checker, Declarations, Typing
from sluice.core.cel.runtime import Failed, Meter, Program, Value, run_environment
from sluice.core.cel.syntax import Node
from sluice.core.cel.syntax_wire import write
from sluice.core.cel.versions import Version


class Engine:
    """CEL of one Kubernetes version; `engine_for` gives it."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._declarations = declarations_of(versions.features_of(version))
        self._meter = Meter()
        self._run = run_environment(version, self._meter)

    def checker(
        self, variables: Mapping[str, Any], *, params: bool, typing: Typing | None = None
    ) -> Checker:
        """What compiles expressions.

        Args:
            variables: the types of the policy's variables, by name.
            params: whether the policy has a paramKind.
            typing: what is known of the types of objects.
        """
        return Checker(self._declarations, self._version, variables, params=params, typing=typing)

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

    def constant(self, node: Node) -> Value | Failed | type[object]:
        """What an expression without variables comes to, as `Program.run` gives it."""
        return self.program(node).run(self.activation({}))

    def dyn(self) -> Any:  # noqa: ANN401  # the engine's
        """The type that may be any."""
        return load.load().Type.DYN


@lru_cache(maxsize=32)
def engine_for(version: Version) -> Engine:
    """The engine of one Kubernetes version, built once."""
    return Engine(version)


@lru_cache(maxsize=32)
def declarations_of(features: Version) -> Declarations:
    """What the type checker knows, shared by all versions with the same functions."""
    return Declarations(features)
