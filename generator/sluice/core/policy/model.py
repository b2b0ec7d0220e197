"""Policies and bindings as records; `reading` makes them from YAML."""

from dataclasses import dataclass, field

from sluice.core.documents.source import Pointer, Source, place_inside
from sluice.core.finding import Place


@dataclass(frozen=True)
class Expression:
    """CEL text, and where it stands."""

    text: str
    source: Source = field(repr=False, compare=False)
    pointer: Pointer

    @property
    def place(self) -> Place:
        """Where the expression begins."""
        return self.at(1, 1)

    def at(self, line: int, column: int) -> Place:
        """The place in the file of a position inside the expression."""
        return place_inside(self.source, self.pointer, self.text, line, column)


@dataclass(frozen=True)
class Named:
    """A variable, a match condition or an audit annotation: an expression with a name."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Validation:
    """One condition that an object must meet."""

    expression: Expression
    message: str = ""
    message_expression: Expression | None = None
    reason: str = "Invalid"


@dataclass(frozen=True)
class Requirement:
    """One requirement of a label selector: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()


Selector = tuple[Requirement, ...]
"""All of its requirements must hold; an empty one selects everything."""


@dataclass(frozen=True)
class Rule:
    """Which requests a policy looks at."""

    groups: frozenset[str]
    versions: frozenset[str]
    resources: frozenset[str]
    operations: frozenset[str]
    scope: str = "*"
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Match:
    """`matchConstraints` or `matchResources`."""

    rules: tuple[Rule, ...] = ()
    excluded: tuple[Rule, ...] = ()
    objects: Selector = ()
    namespaces: Selector = ()
    equivalent: bool = True


@dataclass(frozen=True)
class ParamKind:
    """The kind of a policy's parameters."""

    api_version: str
    kind: str


@dataclass(frozen=True)
class ParamRef:
    """Which parameters a binding uses; with `anywhere` those of any namespace, or a null."""

    name: str = ""
    namespace: str = ""
    selector: Selector | None = None
    deny_when_missing: bool = False
    anywhere: bool = False


@dataclass(frozen=True)
class Policy:
    """A ValidatingAdmissionPolicy."""

    name: str
    match: Match
    source: Source = field(repr=False, compare=False)
    param_kind: ParamKind | None = None
    conditions: tuple[Named, ...] = ()
    variables: tuple[Named, ...] = ()
    validations: tuple[Validation, ...] = ()
    annotations: tuple[Named, ...] = ()
    ignore_errors: bool = False


@dataclass(frozen=True)
class Binding:
    """A ValidatingAdmissionPolicyBinding."""

    name: str
    policy: str
    actions: tuple[str, ...] = ("Deny",)
    params: ParamRef | None = None
    match: Match = Match()
    source: Source | None = field(default=None, repr=False, compare=False)
