"""A policy compiled for one Kubernetes version, once, for any number of objects."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sluice.core.cel.checking import Checked, Checker, Typing
from sluice.core.cel.cost import grows_too_much
from sluice.core.cel.engine import Engine, engine_for
from sluice.core.cel.literals import wrong_literals
from sluice.core.cel.problems import CompileError, Problem
from sluice.core.cel.runtime import TOO_DEEP
from sluice.core.cel.syntax import Kind, Node
from sluice.core.cel.syntax_wire import LEVEL_LIMIT, levels
from sluice.core.cel.versions import LITERALS_CHECKED, Version
from sluice.core.finding import Finding
from sluice.core.policy.compiled import Compiled, is_variable, variable_of
from sluice.core.policy.model import Expression, Named, Policy

COMPILE_RULE = "POL003"
"""An expression that the API server would refuse, or that cannot be decided offline."""

_REFERENCE = re.compile(r"\bvariables\s*\.\s*([A-Za-z_]\w*)")
_PRESENCE = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*)|\bhas\(\s*variables\.(\w+)\s*\)"""
)


@dataclass(frozen=True)
class PlannedValidation:
    """A validation whose expressions compile."""

    index: int
    condition: Compiled
    message: Compiled | None


@dataclass(frozen=True)
class Plan:
    """What can be run of a policy; with problems, nothing of it is."""

    policy: Policy
    version: Version
    engine: Engine = field(repr=False)
    conditions: tuple[tuple[str, Compiled], ...] = ()
    validations: tuple[PlannedValidation, ...] = ()
    annotations: tuple[tuple[str, Compiled], ...] = ()
    problems: tuple[Finding, ...] = ()
    variables: tuple[tuple[str, Compiled], ...] = ()

    @cached_property
    def together(self) -> Compiled | None:
        """All validations as one expression, which is true of most objects; None for only one."""
        conditions = [validation.condition for validation in self.validations]
        if not conditions[1:]:
            return None
        first = conditions[0]
        root = _all([condition.root for condition in conditions])
        checked = replace(first.checked, tree=replace(first.checked.tree, root=root))
        return replace(first, checked=checked, _parts={})


def compile_policy(policy: Policy, version: Version) -> Plan:
    """Compile all expressions; what does not compile becomes the plan's problems.

    Raises:
        UsageError: when the CEL engine is missing.
    """
    return Compiler(policy, version, engine_for(version)).plan()


@dataclass
class Compiler:
    """Compiles one policy.

    Args:
        policy: the policy.
        version: of Kubernetes.
        engine: of that version.
        typing: what is known of the types of objects.
    """

    policy: Policy
    version: Version
    engine: Engine
    typing: Typing | None = None
    problems: list[Finding] = field(default_factory=list)
    trees: dict[str, Node] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    compiled: dict[str, Compiled] = field(default_factory=dict)

    def plan(self) -> Plan:
        """Everything that compiles, and what is wrong with the rest."""
        self._variables()
        checker = self._checker(self.types)
        policy = self.policy
        # They are asked before anything else, and so know no variables.
        conditions = self._named(self._checker({}), policy.conditions, ("BOOL",), {})
        validations: list[PlannedValidation] = []
        for index, one in enumerate(policy.validations):
            condition = self._compile(checker, one.expression, ("BOOL",))
            message = one.message_expression
            text = self._compile(checker, message, ("STRING",)) if message else None
            if condition:
                validations.append(PlannedValidation(index, condition, text))
        annotations = self._named(checker, policy.annotations, ("STRING", "NULL"))
        return Plan(
            policy,
            self.version,
            self.engine,
            tuple(conditions),
            tuple(validations),
            tuple(annotations),
            tuple(self.problems),
            tuple(self.compiled.items()),
        )

    def _checker(self, variables: Mapping[str, Any]) -> Checker:
        params = self.policy.param_kind is not None
        return self.engine.checker(variables, params=params, typing=self.typing)

    def _named(
        self,
        checker: Checker,
        some: Sequence[Named],
        types: Sequence[str],
        variables: Mapping[str, Node] | None = None,
    ) -> Iterator[tuple[str, Compiled]]:
        compiled = [
            (one.name, self._compile(checker, one.expression, types, variables)) for one in some
        ]
        return iter([(name, one) for name, one in compiled if one])

    def _variables(self) -> None:
        """Each with the types of the ones that it uses, in as few environments as that needs."""
        pending = {one.name: one.expression for one in self.policy.variables}
        order = list(pending)
        while pending:
            ready = [name for name in pending if not self._waits_for(name, pending, order)]
            checker = self._checker(self.types)
            for name in ready:
                earlier = {
                    one: self.trees[one] for one in order[: order.index(name)] if one in self.trees
                }
                compiled = self._compile(checker, pending.pop(name), (), earlier)
                self.types[name] = self._type(compiled)
                if compiled:
                    self.trees[name] = compiled.root
                    self.compiled[name] = compiled
                else:
                    self.broken.add(name)
        self.trees = {name: self.trees[name] for name in order if name in self.trees}

    def _waits_for(self, name: str, pending: Mapping[str, Expression], order: list[str]) -> bool:
        used = set(_REFERENCE.findall(pending[name].text))
        return any(one in pending for one in order[: order.index(name)] if one in used)

    def _type(self, compiled: Compiled | None) -> Any:  # noqa: ANN401  # the engine's
        known = compiled is not None and "optional" not in compiled.checked.type_name
        return compiled.checked.type if compiled and known else self.engine.dyn()

    def _compile(
        self,
        checker: Checker,
        expression: Expression,
        types: Sequence[str],
        variables: Mapping[str, Node] | None = None,
    ) -> Compiled | None:
        known = self.trees if variables is None else variables
        try:
            checked = checker.check(_presence_decided(expression.text, known))
            compiled = Compiled(expression, checked, self.engine, known)
            if self.broken & checked.references:
                return None
            problems = list(_misfits(checked, types))
            if self.typing is None:  # with types it is looked at again, and only for them
                problems += _objections(compiled, self.version)
        except CompileError as error:
            problems = list(error.problems)
        for problem in problems:
            self.problems.append(_finding(self.policy, expression, problem))
        return None if problems else compiled


def _finding(policy: Policy, expression: Expression, problem: Problem) -> Finding:
    place = expression.at(problem.line, problem.column)
    return Finding(place, COMPILE_RULE, f"policy {policy.name}: {problem.message}")


def _misfits(checked: Checked, types: Sequence[str]) -> Iterator[Problem]:
    """What the API server refuses of the types that its checker lets pass."""
    if types and checked.type_name not in types:
        wanted = " or ".join(name.lower() for name in types)
        yield Problem(1, 1, f"must evaluate to {wanted} but got {checked.type_name.lower()}")
    for node, message in checked.mixed_literals:
        yield literal_place(checked, node, message)


def _objections(compiled: Compiled, version: Version) -> Iterator[Problem]:
    """What is refused whatever the types are: by the API server, or here since it has no end."""
    checked, root = compiled.checked, compiled.root
    for node in root.walk():
        if is_variable(node) and variable_of(node) not in compiled.variables:
            message = f"variable {variable_of(node)!r} is declared further down"
            yield literal_place(checked, node, message)
    if version >= LITERALS_CHECKED:
        for node, message in wrong_literals(checked.tree, compiled.engine.constant):
            yield literal_place(checked, node, message)
    if levels(root) > LEVEL_LIMIT:
        yield Problem(1, 1, TOO_DEEP)
    if grows_too_much(root, compiled.variable):
        yield Problem(1, 1, "its values would grow beyond every limit")


def literal_place(checked: Checked, node: Node, message: str) -> Problem:
    """A problem at a node of the tree."""
    before = checked.text[: checked.tree.offsets.get(node.identity, 0)]
    return Problem(before.count("\n") + 1, len(before) - before.rfind("\n"), message)


def _presence_decided(text: str, known: Mapping[str, Node]) -> str:
    """The text with `true` for `has(variables.x)`, which the engine takes for the variable."""

    def decided(match: re.Match[str]) -> str:
        return "true".ljust(len(match[0])) if match[2] in known else match[0]

    return _PRESENCE.sub(decided, text)


def _all(nodes: Sequence[Node]) -> Node:
    """The conjunction, in halves: a chain of thousands would be too deep to be read."""
    if len(nodes) == 1:
        return nodes[0]
    middle = len(nodes) // 2
    operands = (_all(nodes[:middle]), _all(nodes[middle:]))
    return Node(Kind.CALL, name="_&&_", operands=operands)
