"""Decisions of policies on requests, in the order in which the API server comes to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sluice.core.cel.cost import BINDING_LIMIT, LIMIT, fills_memory
from sluice.core.cel.runtime import EXCEEDED, Failed
from sluice.core.cel.spending import Bounds
from sluice.core.documents.source import Pointer
from sluice.core.finding import Place, Severity
from sluice.core.policy import params as parameters
from sluice.core.policy.admission import Admission, Object, World
from sluice.core.policy.blame import blame
from sluice.core.policy.compiled import Compiled
from sluice.core.policy.match import matches
from sluice.core.policy.model import Binding, Validation
from sluice.core.policy.plan import Plan, PlannedValidation
from sluice.core.policy.stepping import Outcome, Stepper, least_cost

_MESSAGE_LIMIT = 5 * 1024


class Decision(StrEnum):
    """What a policy says to a request."""

    ALLOW = "allow"
    DENY = "deny"
    WARN = "warn"
    AUDIT = "audit"
    SKIP = "skip"
    ERROR = "error"


SEVERITIES = {
    Decision.DENY: Severity.ERROR,
    Decision.ERROR: Severity.ERROR,
    Decision.WARN: Severity.WARNING,
    Decision.AUDIT: Severity.NOTE,
}
"""How much a decision matters as a finding; what is not here is none."""


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong.

    `index` counts validations from 0 and is None for what is not about one; `place` is in the
    policy's file, `pointer` leads to the part of the object that is to blame. `reason` is the
    status reason that the API server would answer with. `fatal` marks what cannot be decided.
    """

    message: str
    place: Place
    index: int | None = None
    expression: str = ""
    pointer: Pointer = ()
    reason: str = "Invalid"
    fatal: bool = False


@dataclass(frozen=True)
class Result:
    """A policy's decision under one binding."""

    policy: str
    binding: str
    decision: Decision
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> tuple[str, ...]:
        """What to tell people: why it was not allowed, or what else they should know."""
        return tuple(failure.message for failure in self.failures) or self.notes


def evaluate(
    plan: Plan,
    bindings: Iterable[Binding],
    request: Admission,
    world: World | None = None,
    *,
    blamed: bool = True,
) -> list[Result]:
    """The decisions on one request, one for each binding of the policy.

    A policy without binding is evaluated as if it were bound to everything with Deny. The part of
    the object that is to blame is looked for unless nobody wants to know.
    """
    policy = plan.policy
    own = [binding for binding in bindings if binding.policy == policy.name]
    own = own or [parameters.everything(policy)]
    if plan.problems:
        failures = tuple(_problem(one.message, one.place) for one in plan.problems)
        return [Result(policy.name, one.name, Decision.ERROR, failures) for one in own]
    if not matches(policy.match, request, rules_required=True):
        return [Result(policy.name, one.name, Decision.SKIP) for one in own]
    return [_bound(plan, one, request, world or World(), blamed=blamed) for one in own]


def _problem(message: str, place: Place) -> Failure:
    return Failure(message, place, fatal=True)


def _bound(
    plan: Plan, binding: Binding, request: Admission, world: World, *, blamed: bool
) -> Result:
    policy = plan.policy
    if not matches(binding.match, request, rules_required=False):
        return Result(policy.name, binding.name, Decision.SKIP)
    try:
        chosen = parameters.choose(policy.param_kind, binding.params, request, world)
    except parameters.ParamsError as error:
        message = f"failed to configure binding: {error}"
        if policy.ignore_errors:
            return Result(policy.name, binding.name, Decision.ALLOW, notes=(f"ignored: {message}",))
        failure = Failure(message, _place(binding, plan))
        return Result(policy.name, binding.name, Decision.DENY, (failure,))
    if not chosen:
        note = "no parameters found, which the binding allows"
        return Result(policy.name, binding.name, Decision.ALLOW, notes=(note,))
    runs = [_Run(plan, request, params, blamed=blamed) for params in chosen]
    return _summary(plan, binding, [run.judge() for run in runs], runs)


def _place(binding: Binding, plan: Plan) -> Place:
    source = binding.source
    return source.place(("spec", "paramRef")) if source else plan.policy.source.place()


def _summary(plan: Plan, binding: Binding, met: Sequence[bool], runs: Sequence["_Run"]) -> Result:
    if len(runs) == 1 and met[0] and not (runs[0].failures or runs[0].notes or runs[0].annotations):
        return Result(plan.policy.name, binding.name, Decision.ALLOW)
    failures = tuple(dict.fromkeys(failure for run in runs for failure in run.failures))
    annotations: dict[str, str] = {}
    for run in runs:
        for key, value in run.annotations.items():
            known = annotations.get(key)
            annotations[key] = value if known in (None, value) else f"{known}, {value}"
    notes = tuple(dict.fromkeys(note for run in runs for note in run.notes))
    decision = _decision(binding.actions, failures, any(run.denied for run in runs))
    if not failures and not any(met):
        decision = Decision.SKIP
    return Result(plan.policy.name, binding.name, decision, failures, notes, annotations)


def _decision(actions: Sequence[str], failures: Sequence[Failure], denied: bool) -> Decision:  # noqa: FBT001  # what annotations said
    if not failures:
        return Decision.ALLOW
    if any(failure.fatal for failure in failures):
        return Decision.ERROR
    if denied or "Deny" in actions:
        return Decision.DENY
    return Decision.WARN if "Warn" in actions else Decision.AUDIT


@dataclass
class _Run:
    """One policy, one request, one set of parameters."""

    plan: Plan
    request: Admission
    params: Object | None
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    denied: bool = False
    budget: int = BINDING_LIMIT
    blamed: bool = True

    def __post_init__(self) -> None:
        self._activation: Any = self.request.activation(self.plan.engine, self.params)

    def judge(self) -> bool:
        """Whether the match conditions hold; failures and the rest are left in the fields."""
        if not self._conditions_hold():
            return False
        if not self._all_met():
            for validation in self.plan.validations:
                self._validate(validation)
        for key, compiled in self.plan.annotations:
            self._annotate(key, compiled)
        return True

    def _all_met(self) -> bool:
        """Whether one look shows that nothing is wrong; if not, each validation has its say."""
        together = self.plan.together
        if together is None or self._fills_memory(together) or self._may_cost_much(together):
            return False
        return together.program.run(self._activation) is True

    def _fills_memory(self, compiled: Compiled) -> bool:
        depth = compiled.building_depth
        if not depth:
            return False
        request = self.request
        elements = max(request.size, compiled.widest_literal)
        return fills_memory(depth, request.size, request.text_size) or fills_memory(
            depth, elements, compiled.longest_text
        )

    def _evaluate(self, compiled: Compiled) -> Outcome:
        if self._fills_memory(compiled):
            return Failed(EXCEEDED)
        outcome = compiled.program.run(self._activation)
        if isinstance(outcome, Failed) and outcome.over_budget:
            data = self.request.data(self.params)
            stepper = Stepper(compiled, data, limit=min(LIMIT, self.budget))
            outcome = stepper.run()
            self.budget -= stepper.spent
        elif self._may_cost_much(compiled):
            outcome = self._within_limit(compiled, outcome)
        return outcome

    def _may_cost_much(self, compiled: Compiled) -> bool:
        """Whether loops over texts could cost more than a cluster allows, though they end here."""
        texts = min(max(self.request.text_size, compiled.longest_text), LIMIT)
        return compiled.most_cost(Bounds(self.request.size, texts)) > LIMIT

    def _within_limit(self, compiled: Compiled, outcome: Outcome) -> Outcome:
        cost = least_cost(compiled, self.request.data(self.params), outcome)
        self.budget -= cost
        limit = min(LIMIT, self.budget + cost)
        return Failed(EXCEEDED, certain=True) if cost > limit else outcome

    def _conditions_hold(self) -> bool:
        errors: list[tuple[Compiled, Failed]] = []
        for _name, compiled in self.plan.conditions:
            outcome = self._evaluate(compiled)
            if outcome is False:
                return False
            if isinstance(outcome, Failed):
                errors.append((compiled, outcome))
        for compiled, failed in errors:
            self._fail(compiled, failed, None)
        return not errors

    def _validate(self, validation: PlannedValidation) -> None:
        compiled = validation.condition
        outcome = self._evaluate(compiled)
        if outcome is True:
            return
        if isinstance(outcome, Failed):
            self._fail(compiled, outcome, validation.index)
            return
        record = self.plan.policy.validations[validation.index]
        self.failures.append(
            Failure(
                message=self._message(validation, record),
                place=compiled.expression.place,
                index=validation.index,
                expression=compiled.expression.text.strip(),
                pointer=self._blame(compiled),
                reason=record.reason,
            )
        )

    def _fail(self, compiled: Compiled, failed: Failed, index: int | None) -> None:
        text = compiled.expression.text.strip()
        message = f"expression '{text}' resulted in error: {failed.message}"
        if self.plan.policy.ignore_errors and (failed.certain or not failed.is_fatal):
            self.notes.append(f"ignored: {message}")
            return
        self.failures.append(
            Failure(
                message=message,
                place=compiled.expression.place,
                index=index,
                expression=text,
                pointer=() if failed.is_fatal else self._blame(compiled),
                fatal=failed.is_fatal,
            )
        )

    def _blame(self, compiled: Compiled) -> Pointer:
        if self.request.object is None or not self.blamed:
            return ()
        return blame(compiled, self.request.data(self.params))

    def _message(self, validation: PlannedValidation, record: Validation) -> str:
        """The message expression's, the message, or the expression itself: what there is first."""
        computed = self._evaluate(validation.message) if validation.message else None
        text = computed.strip() if isinstance(computed, str) else ""
        if "\n" in text or len(text.encode()) > _MESSAGE_LIMIT:
            text = ""
        return (
            text or record.message.strip() or f"failed expression: {record.expression.text.strip()}"
        )

    def _annotate(self, key: str, compiled: Compiled) -> None:
        outcome = self._evaluate(compiled)
        if isinstance(outcome, Failed):
            before = len(self.failures)
            self._fail(compiled, outcome, None)
            self.denied |= len(self.failures) > before
        elif isinstance(outcome, str) and outcome.strip():
            self.annotations[key] = outcome.strip()
