"""The type checker: what it knows, and what it says, found out once for all who ask the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sluice.core.cel import load
from sluice.core.cel.declared import configuration, extension
from sluice.core.cel.descriptors import NAMESPACE, REQUEST, Pool
from sluice.core.cel.literals import mixed_literals
from sluice.core.cel.problems import CompileError, problems_in
from sluice.core.cel.syntax import Kind, Node, Tree
from sluice.core.cel.syntax_wire import read
from sluice.core.cel.versions import Version

PREFIX = "variables."
"""What stands before the name of a policy's variable."""

_NAMED = re.compile(r"\bvariables\s*\.\s*([A-Za-z_]\w*)")
_OBJECT = re.compile(r"\b(?:object|oldObject)\b")
_MEMORY = 4096
"""Checked expressions that are kept: more than one repository has."""


@dataclass(frozen=True)
class Checked:
    """An expression that compiles: its tree, and its type as the engine knows and prints it."""

    text: str
    tree: Tree
    type: Any
    type_name: str

    @cached_property
    def references(self) -> frozenset[str]:
        """The names of the policy's variables that it uses itself."""
        names = (node.name for node in self.tree.root.walk() if node.kind is Kind.IDENT)
        return frozenset(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))

    @cached_property
    def mixed_literals(self) -> tuple[tuple[Node, str], ...]:
        """The lists and maps in it whose values do not go together, and why."""
        return tuple(mixed_literals(self.tree))


@dataclass(frozen=True, eq=False)
class Typing:
    """What is known of the types of objects.

    Args:
        pool: message types; those of the checker itself are among them.
        variables: the message types of `object` and `oldObject`, by name.
    """

    pool: Pool
    variables: Mapping[str, str]


Sight = tuple[str, bool, tuple[tuple[str, str], ...], Typing | None]
"""What decides how an expression is checked: its text, whether there are params, the types of the
variables that it names, and those of objects, where it can see any of them."""


class Declarations:
    """What the checker knows of one set of libraries, and what it found out with that."""

    def __init__(self, version: Version) -> None:
        self._config = load.load().NewEnvConfigFromYaml(configuration(version))
        self._functions = extension(version)
        self._pool = Pool({"AdmissionRequest": REQUEST, "Namespace": NAMESPACE})
        self.checked: dict[Sight, Checked] = {}

    def environment(
        self, variables: Mapping[str, Any], *, params: bool, typing: Typing | None
    ) -> Any:  # noqa: ANN401  # the engine's
        """An environment in which expressions compile; the arguments are as for a Checker."""
        engine = load.load()
        types = engine.Type
        declared = {"object": types.DYN, "oldObject": types.DYN}
        if params:
            declared["params"] = types.DYN
        for name, message in (typing.variables if typing else {}).items():
            declared[name] = types(message)
        declared["request"] = types("kubernetes.AdmissionRequest")
        declared["namespaceObject"] = types("kubernetes.Namespace")
        declared |= {f"{PREFIX}{name}": kind for name, kind in variables.items()}
        return engine.NewEnv(
            descriptor_pool=typing.pool if typing else self._pool,
            config=self._config,
            variables=declared,
            extensions=[self._functions],
        )

    def remember(self, sight: Sight, checked: Checked) -> None:
        """Keep what the checker said for the next who asks the same."""
        if len(self.checked) >= _MEMORY:
            self.checked.clear()
        self.checked[sight] = checked


class Checker:
    """Compiles expressions with one set of variables.

    Args:
        declarations: what it knows besides.
        version: of Kubernetes, for its words.
        variables: the types of the policy's variables, by name.
        params: whether the policy has a paramKind.
        typing: what is known of the types of objects.
    """

    def __init__(
        self,
        declarations: Declarations,
        version: Version,
        variables: Mapping[str, Any],
        *,
        params: bool,
        typing: Typing | None = None,
    ) -> None:
        self._declarations = declarations
        self._version = version
        self._variables = dict(variables)
        self._type_names = {name: str(kind) for name, kind in variables.items()}
        self._params = params
        self._typing = typing

    def check(self, text: str) -> Checked:
        """The checked tree.

        Raises:
            CompileError: with everything that the type checker finds.
        """
        sight = self._sight(text)
        checked = self._declarations.checked.get(sight)
        if checked is None:
            checked = self._compile(text)
            self._declarations.remember(sight, checked)
        return checked

    def _sight(self, text: str) -> Sight:
        """What of all that is declared can make a difference to this text."""
        named: set[str] | Mapping[str, str] = set(_NAMED.findall(text))
        if len(_NAMED.findall(text)) != text.count(PREFIX[:-1]):
            named = self._type_names  # a comment may stand between the dot and the name
        seen = sorted((name, kind) for name, kind in self._type_names.items() if name in named)
        sees_types = _OBJECT.search(text) or any("." in kind for _, kind in seen)
        return text, self._params, tuple(seen), self._typing if sees_types else None

    def _compile(self, text: str) -> Checked:
        try:
            text.encode()
            expression = self._environment.compile(text)
            tree = read(expression.serialize())
        except (RuntimeError, RecursionError, UnicodeError, ValueError) as error:
            raise CompileError(problems_in(str(error), text, self._version)) from None
        kind = expression.return_type()
        return Checked(text, tree, kind, str(kind))

    @cached_property
    def _environment(self) -> Any:  # noqa: ANN401  # the engine's
        return self._declarations.environment(
            self._variables, params=self._params, typing=self._typing
        )
