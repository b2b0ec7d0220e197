"""An expression that compiles: its tree, what it uses, and the programs of its parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from sluice.core.cel.checking import PREFIX, Checked
from sluice.core.cel.cost import building_depth, longest_text, widest_literal
from sluice.core.cel.engine import Engine
from sluice.core.cel.optionals import guarded, may_escape
from sluice.core.cel.runtime import Program
from sluice.core.cel.spending import Bounds
from sluice.core.cel.syntax import TRUE, Kind, Node, block, rebuild, slot
from sluice.core.cel.versions import OPTIONAL_RESULTS
from sluice.core.policy.model import Expression


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
        for name in references(node):
            if name not in found:
                found.add(name)
                self._names(self.variables[name], found)
        return found


def references(node: Node) -> Iterator[str]:
    """The names of the variables that a tree uses, as often as it does."""
    return map(variable_of, filter(is_variable, node.walk()))


def is_variable(node: Node) -> bool:
    """Whether a node stands for a variable of the policy."""
    return node.kind is Kind.IDENT and node.name.startswith(PREFIX)


def variable_of(node: Node) -> str:
    """The name of the variable that a node stands for."""
    return node.name.removeprefix(PREFIX)


def _prepared(node: Node, slots: Mapping[str, Node], *, keep_optionals_out: bool) -> Node:
    """The tree with variables as values of the block around it, and functions as they run."""
    if is_variable(node):
        return TRUE if node.test else slots[variable_of(node)]
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
