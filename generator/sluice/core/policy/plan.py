"""A policy compiled for one Kubernetes version, once, for any number of objects."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from sluice.core.finding import Finding
from sluice.core.policy.checking import PREFIX, Checked, Checker, Typing
from sluice.core.policy.cost import building_depth, grows_too_much, longest_text, widest_literal
from sluice.core.policy.engine import Engine, engine_for
from sluice.core.policy.libraries import LITERALS_CHECKED, OPTIONAL_RESULTS, Version
from sluice.core.policy.literals import wrong_literals
from sluice.core.policy.model import Expression, Named, Policy
from sluice.core.policy.optionals import guarded, may_escape
from sluice.core.policy.problems import CompileError, Problem
from sluice.core.policy.runtime import TOO_DEEP, Program
from sluice.core.policy.spending import Bounds
from sluice.core.policy.syntax import TRUE, Kind, Node, block, rebuild, slot
from sluice.core.policy.syntax_wire import LEVEL_LIMIT, levels

COMPILE_RULE = "POL003"
"""An expression that the API server would refuse, or that cannot be decided offline."""

_REFERENCE = re.compile(r"\bvariables\s*\.\s*([A-Za-z_]\w*)")
_PRESENCE = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*)|\bhas\(\s*variables\.(\w+)\s*\)"""
)


@dataclass(frozen=True)
class Compiled:
    """An expression that compiles, and the policy's variables that it may use."""

    expression: Expression
    checked: Checked
    engine: Engine = field(repr=False)
    variables: Mapping[str, Node] = field(repr=False)
    _parts: dict[int, tuple[Node, Program]] = field(default_factory=dict, repr=False, compare=False)
    _costs: dict[Bounds, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def root(self) -> Node:
        """The tree, with variables as identifiers `variables.<name>`."""
        return self.checked.tree.root

    @cached_property
    def program(self) -> Program:
        """The whole expression, ready to run."""
        return self.part(self.root)

    @cached_property
    def building_depth(self) -> int:
        """How many loops stand around what makes new values."""
        return max(map(building_depth, self._trees))

    @cached_property
    def widest_literal(self) -> int:
        """The elements of the longest list that is written out in it."""
        return max(map(widest_literal, self._trees))

    @cached_property
    def longest_text(self) -> int:
        """The characters that texts can have which it puts together from its own."""
        return longest_text(self.root, self.variable)

    def most_cost(self, bounds: Bounds) -> int:
        """What it costs at most where values are no larger than that."""
        if bounds not in self._costs:
            self._costs[bounds] = sum(map(bounds.most, self._trees))
        return self._costs[bounds]

    @property
    def _trees(self) -> tuple[Node, ...]:
        """The expression and the variables that it needs."""
        return (self.root, *(self.variables[name] for name in self.used(self.root)))

    @cached_property
    def _has_optionals(self) -> bool:
        return may_escape(self._trees)

    def part(self, node: Node) -> Program:
        """Some node of the tree, ready to run; loop variables above it are taken from the data."""
        if id(node) not in self._parts:
            needed = self.used(node)
            slots = {name: slot(index) for index, name in enumerate(needed)}
            prepare = partial(_prepared, slots=slots, keep_optionals_out=self._has_optionals)
            values = tuple(prepare(self.variables[name]) for name in needed)
            program = self.engine.program(block(values, prepare(node)))
            self._parts[id(node)] = (node, program)
        return self._parts[id(node)][1]

    def used(self, node: Node) -> list[str]:
        """The names of the variables that a node needs, in the order of their declaration."""
        found = self._names(node, set())
        return [name for name in self.variables if name in found]

    def variable(self, name: str) -> Node | None:
        """The tree of a variable by the name that trees use."""
        known = name.startswith(PREFIX)
        return self.variables.get(name.removeprefix(PREFIX)) if known else None

    def _names(self, node: Node, found: set[str]) -> set[str]:
        for name in _references(node):
            if name not in found:
                found.add(name)
                self._names(self.variables[name], found)
        return found


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
        if _is_variable(node) and _variable_of(node) not in compiled.variables:
            message = f"variable {_variable_of(node)!r} is declared further down"
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


def _references(node: Node) -> Iterator[str]:
    return map(_variable_of, filter(_is_variable, node.walk()))


def _is_variable(node: Node) -> bool:
    return node.kind is Kind.IDENT and node.name.startswith(PREFIX)


def _variable_of(node: Node) -> str:
    return node.name.removeprefix(PREFIX)


def _prepared(node: Node, slots: Mapping[str, Node], *, keep_optionals_out: bool) -> Node:
    """The tree with variables as values of the block around it, and functions as they run."""
    if _is_variable(node):
        return TRUE if node.test else slots[_variable_of(node)]
    prepare = partial(_prepared, slots=slots, keep_optionals_out=keep_optionals_out)
    result = rebuild(node, tuple(map(prepare, node.operands)))
    if keep_optionals_out:
        result = guarded(result)
    if result.kind is Kind.CALL and result.name == "lists.range":
        return replace(result, name="limit.range")
    if result.kind is Kind.CALL and result.name == "matches":
        return replace(result, name="text.matches", member=False)
    if result.kind is Kind.CALL and result.name in OPTIONAL_RESULTS:
        return Node(Kind.CALL, name="optional.ofNonZeroValue", operands=(result,))
    return result
