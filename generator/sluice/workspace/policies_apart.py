"""Policies judged in a process of their own: one that ends it is a finding, others go on."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from sluice.core.documents.source import Source
from sluice.core.finding import Finding, UsageError
from sluice.system.isolation import Begin, Died, run_isolated

RULE = "POL005"
"""A policy that ends what judges it."""

_REMEDY = "make it simpler: shorter loops, smaller values, no optionals where values are wanted"


class Subject(Protocol):
    """A policy, or what is about one."""

    @property
    def name(self) -> str:
        """The policy's name."""

    @property
    def source(self) -> Source:
        """The policy's object in its file."""


Judged = TypeVar("Judged", bound=Subject)
Answer = TypeVar("Answer")


def judge_apart(
    policies: Sequence[Judged], judge: Callable[[Sequence[Judged], Begin], Answer]
) -> tuple[Answer, list[Finding]]:
    """What is said when some policies are judged, and what is wrong with those that end that.

    Args:
        policies: all that are to be judged.
        judge: judges some of them; its argument is told which one it comes to, counted from 0.

    Raises:
        UsageError: as `judge` raised it, or when it ends before it comes to any policy.
        FindingsError: as `judge` raised it.
    """
    standing = list(policies)
    findings: list[Finding] = []
    while True:
        outcome = run_isolated(partial(judge, tuple(standing)))
        if not isinstance(outcome, Died):
            return outcome, findings
        if outcome.step is None:
            raise UsageError(f"policies cannot be judged: the process {outcome.reason}")
        findings.append(_describe_end(standing.pop(outcome.step), outcome))


def _describe_end(policy: Subject, death: Died) -> Finding:
    """What to tell of a policy that ended the process."""
    message = f"policy {policy.name}: it {death.reason}, so it decides nothing"
    place = policy.source.place(("metadata", "name"))
    return Finding(place, RULE, message, _REMEDY)
