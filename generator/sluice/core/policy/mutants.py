"""Policies with one thing changed: a table of cases that notices none of it tests nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sluice.core.cel.syntax import Node
from sluice.core.finding import Place
from sluice.core.policy.compiled import Compiled
from sluice.core.policy.model import Binding, Match, Policy, Rule
from sluice.core.policy.mutants_syntax import mutated
from sluice.core.policy.plan import Plan, PlannedValidation, literal_place


@dataclass(frozen=True)
class Mutant:
    """One change: what it is, where it is, and the policy or its bindings with it."""

    change: str
    place: Place
    plan: Plan
    bindings: tuple[Binding, ...]


def mutants(plan: Plan, bindings: tuple[Binding, ...]) -> Iterator[Mutant]:
    """Every mutant of a policy that compiles, in the order of its file's parts."""
    for change, place, changed in _plans(plan):
        yield Mutant(change, place, changed, bindings)
    for index, binding in enumerate(bindings):
        place = binding.source.place(("spec",)) if binding.source else plan.policy.source.place()
        for change, other in _bindings(binding):
            others = (*bindings[:index], other, *bindings[index + 1 :])
            yield Mutant(f"binding {binding.name}: {change}", place, plan, others)


def _plans(plan: Plan) -> Iterator[tuple[str, Place, Plan]]:
    policy = plan.policy
    if not policy.ignore_errors:
        place = policy.source.place(("spec", "failurePolicy"))
        yield "failurePolicy: Ignore", place, _with(plan, replace(policy, ignore_errors=True))
    for change, match in _matches(policy.match):
        place = policy.source.place(("spec", "matchConstraints"))
        yield f"matchConstraints: {change}", place, _with(plan, replace(policy, match=match))
    yield from _conditions(plan)
    yield from _variables(plan)
    yield from _validations(plan)


def _with(plan: Plan, policy: Policy) -> Plan:
    return replace(plan, policy=policy)


def _conditions(plan: Plan) -> Iterator[tuple[str, Place, Plan]]:
    for index, (name, compiled) in enumerate(plan.conditions):
        before, after = plan.conditions[:index], plan.conditions[index + 1 :]
        place = compiled.expression.place
        yield f"without the match condition {name}", place, replace(plan, conditions=before + after)
        for change, at, other in _expressions(compiled):
            yield change, at, replace(plan, conditions=(*before, (name, other), *after))


def _variables(plan: Plan) -> Iterator[tuple[str, Place, Plan]]:
    for name, compiled in plan.variables:
        for change, at, other in _expressions(compiled):
            yield f"variable {name}: {change}", at, _where(plan, name, other.root)


def _where(plan: Plan, name: str, root: Node) -> Plan:
    """The plan with another tree for one variable."""

    def changed(compiled: Compiled) -> Compiled:
        trees: Mapping[str, Node] = {
            known: root if known == name else tree for known, tree in compiled.variables.items()
        }
        return replace(compiled, variables=trees, _parts={})

    return replace(
        plan,
        conditions=tuple((label, changed(one)) for label, one in plan.conditions),
        validations=tuple(replace(v, condition=changed(v.condition)) for v in plan.validations),
    )


def _validations(plan: Plan) -> Iterator[tuple[str, Place, Plan]]:
    for index, validation in enumerate(plan.validations):
        before, after = plan.validations[:index], plan.validations[index + 1 :]
        place = validation.condition.expression.place
        yield "without this validation", place, replace(plan, validations=before + after)
        for change, at, other in _expressions(validation.condition):
            changed: PlannedValidation = replace(validation, condition=other)
            yield change, at, replace(plan, validations=(*before, changed, *after))


def _expressions(compiled: Compiled) -> Iterator[tuple[str, Place, Compiled]]:
    checked = compiled.checked
    for change, node, root in mutated(compiled.root):
        problem = literal_place(checked, node, change)
        place = compiled.expression.at(problem.line, problem.column)
        tree = replace(checked.tree, root=root)
        yield change, place, replace(compiled, checked=replace(checked, tree=tree), _parts={})


def _bindings(binding: Binding) -> Iterator[tuple[str, Binding]]:
    if "Deny" in binding.actions:
        yield "validationActions: [Audit]", replace(binding, actions=("Audit",))
    for change, match in _matches(binding.match):
        yield change, replace(binding, match=match)
    if binding.params and binding.params.deny_when_missing:
        params = replace(binding.params, deny_when_missing=False)
        yield "parameterNotFoundAction: Allow", replace(binding, params=params)


def _matches(match: Match) -> Iterator[tuple[str, Match]]:
    for index, one in enumerate(match.objects):
        left = match.objects[:index] + match.objects[index + 1 :]
        yield f"without the selector's {one.key}", replace(match, objects=left)
    for index, one in enumerate(match.namespaces):
        left = match.namespaces[:index] + match.namespaces[index + 1 :]
        yield f"without the selector's {one.key}", replace(match, namespaces=left)
    for change, rules in _rules(match.rules):
        yield change, replace(match, rules=rules)
    for change, rules in _rules(match.excluded):
        yield f"excluded: {change}", replace(match, excluded=rules)


def _rules(rules: tuple[Rule, ...]) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    for index, rule in enumerate(rules):
        for change, kept in _narrower(rule):
            yield change, (*rules[:index], *kept, *rules[index + 1 :])


def _narrower(rule: Rule) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """A rule without one of its operations or resources; subresources are no objects of a table."""
    for value in sorted(rule.operations):
        left = rule.operations - {value}
        yield f"without {value}", (replace(rule, operations=left),) if left else ()
    for value in sorted(rule.resources):
        left = rule.resources - {value}
        if "/" not in value:
            yield f"without {value}", (replace(rule, resources=left),) if left else ()
