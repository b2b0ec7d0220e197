"""`sluice policy test`: the cases kept beside policies, and how much of a policy they test."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from sluice.core import layout
from sluice.core.documents.objects import Part
from sluice.core.documents.source import Source
from sluice.core.finding import Finding, FindingsError, UsageError
from sluice.core.outgoing import lines_of
from sluice.core.policy.layer import Begin
from sluice.core.policy.model import Binding, Policy
from sluice.core.policy.mutants import Mutant, mutants
from sluice.core.policy.plan import Plan, compile_policy
from sluice.core.policy.reading import is_binding, is_policy, read_binding, read_policy
from sluice.core.policy.table import Case, Outcome, read_cases, run_case
from sluice.core.reports.report import report
from sluice.core.specs.schema import Schemas
from sluice.system import resources
from sluice.workspace.policies_apart import judge_apart
from sluice.workspace.policy_inputs import parse_version, read_parts

_VERSION = "1.34"


@dataclass(frozen=True)
class Table:
    """A table of cases with its policy."""

    file: str
    part: Part
    version: tuple[int, int]
    policy: Policy
    bindings: tuple[Binding, ...]
    params: list[Any]

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.policy.name

    @property
    def source(self) -> Source:
        """The policy's object in its file."""
        return self.policy.source


@dataclass(frozen=True)
class Account:
    """What is to be told of a table."""

    text: str
    record: dict[str, Any]
    passed: bool
    score: float


@dataclass(frozen=True)
class Suite:
    """A table with its policy, what was said to each case, and the mutants that none noticed."""

    file: str
    plan: Plan
    outcomes: tuple[Outcome, ...]
    survivors: tuple[Mutant, ...] = ()
    total: int = 0

    @property
    def passed(self) -> bool:
        """Whether every case got its answer."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def score(self) -> float:
        """The share of mutants that a case noticed; 1 when there are none."""
        return 1 - len(self.survivors) / self.total if self.total else 1.0


def run(*, paths: Sequence[str], mutation: bool, minimum_score: float | None, form: str) -> int:
    """Print what each table found; 1 when a case fails, or a score is below the least wanted.

    Args:
        paths: tables or folders of them; those in policies/tests/ when empty.
        mutation: whether to try mutants of the policies.
        minimum_score: the least share of mutants that each table must notice; without mutation it
            has no say.
        form: text or json.

    Raises:
        UsageError: when there are no tables, or no CEL engine.
        FindingsError: for tables and policies that cannot be read.
    """
    tables = [_read_table(path) for path in _list_paths(paths)]

    def judge(some: Sequence[Table], begin: Begin) -> list[Account]:
        accounts: list[Account] = []
        for index, table in enumerate(some):
            suite = _read_suite(table, partial(begin, index), mutate=mutation)
            accounts.append(_account(suite))
        return accounts

    accounts, findings = judge_apart(tables, judge)
    sys.stdout.write(
        _format_json(accounts) if form == "json" else "".join(one.text for one in accounts)
    )
    if findings:
        click.echo(report(findings, "text", {}), nl=False, err=True)
    low = minimum_score is not None and any(one.score < minimum_score for one in accounts)
    return int(low or bool(findings) or not all(one.passed for one in accounts))


def _account(suite: Suite) -> Account:
    return Account(_format_text(suite), _record(suite), suite.passed, suite.score)


def _list_paths(paths: Sequence[str]) -> list[str]:
    chosen = [Path(path) for path in paths] or [Path(layout.POLICIES, layout.POLICY_TESTS)]
    found = [file for path in chosen for file in ([path] if path.is_file() else _inside(path))]
    if not found:
        named = " ".join(map(str, chosen))
        raise UsageError(
            f"{named}: no tables of cases here; name files, or run it beside policies/"
        )
    return [str(path) for path in found]


def _inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such file or folder")
    found = sorted(folder.glob("*.yaml"))
    for path in found:
        _refuse_special(path)
    return found


def _refuse_special(path: Path) -> None:
    """Refuse what nobody named, and what may have no end.

    Raises:
        UsageError: it is a pipe, a device or a folder, or a link to one.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file: remove it")


def _read_suite(table: Table, begin: Callable[[], None], *, mutate: bool) -> Suite:
    """Run the cases; `begin` is called before each piece of work."""
    begin()
    plan = compile_policy(table.policy, table.version)
    if plan.problems:
        raise FindingsError(plan.problems)
    bindings, path = table.bindings, table.file
    cases = read_cases(table.part, table.version, table.params)
    outcomes = tuple(run_case(plan, bindings, case) for case in cases)
    if not mutate:
        return Suite(path, plan, outcomes)
    tried = list(mutants(plan, bindings))
    telling = [outcome.case for outcome in outcomes if outcome.as_said]
    survivors: list[Mutant] = []
    for mutant in tried:
        begin()
        if not _find_noticed(mutant, telling):
            survivors.append(mutant)
    return Suite(path, plan, outcomes, tuple(survivors), len(tried))


def _find_noticed(mutant: Mutant, cases: Sequence[Case]) -> bool:
    return any(
        not run_case(mutant.plan, mutant.bindings, case, blamed=False).as_said for case in cases
    )


def _read_table(path: str) -> Table:
    parts = read_parts([path])
    if len(parts) != 1:
        raise UsageError(f"{path} holds {len(parts)} documents, a table is one")
    findings = list(Schemas(resources.read_schema).findings(parts[0], "PolicyTest"))
    if findings:
        raise FindingsError(findings)
    data = parts[0].data
    version = parse_version(data.get("kubernetesVersion", _VERSION))
    beside = Path(path).parent / data.get("policy", f"../{Path(path).name}")
    _refuse_special(Path(beside))
    policy, bindings, params = _read_policy(os.path.normpath(beside))
    return Table(path, parts[0], version, policy, bindings, params)


def _read_policy(path: str) -> tuple[Policy, tuple[Binding, ...], list[Any]]:
    findings: list[Finding] = []
    parts = read_parts([path])
    policies = [read_policy(part, findings) for part in parts if is_policy(part.data)]
    bindings = [read_binding(part, findings) for part in parts if is_binding(part.data)]
    others = [part.data for part in parts if not is_policy(part.data) and not is_binding(part.data)]
    if findings:
        raise FindingsError(findings)
    if len(policies) != 1:
        raise UsageError(f"{path} holds {len(policies)} policies; a table is about one")
    own = tuple(binding for binding in bindings if binding.policy == policies[0].name)
    return policies[0], own, others


def _format_text(suite: Suite) -> str:
    return lines_of(_lines(suite))


def _lines(suite: Suite) -> Iterator[str]:
    failed = [outcome for outcome in suite.outcomes if not outcome.passed]
    good = len(suite.outcomes) - len(failed)
    scored = ""
    if suite.total:
        killed = suite.total - len(suite.survivors)
        scored = f", {killed} of {suite.total} mutants noticed ({suite.score:.0%})"
    yield f"{suite.plan.policy.name}: {good} of {len(suite.outcomes)} cases pass{scored}"
    for outcome in failed:
        case = outcome.case
        yield f"  FAIL {case.place}: {case.name}"
        yield f"       expected {_wanted(case)}"
        yield f"       got {_got(outcome)}"
    for mutant in suite.survivors:
        yield f"  survived {mutant.place}: {mutant.change}"


def _wanted(case: Case) -> str:
    said = "".join(f", saying {text!r}" for text in case.messages)
    return f"{case.decision}{said}" + (f", at {case.pointer}" if case.pointer is not None else "")


def _got(outcome: Outcome) -> str:
    said = "; ".join(outcome.messages)
    places = ", ".join(outcome.pointers)
    return f"{outcome.decision}{': ' + said if said else ''}{' at ' + places if places else ''}"


def _format_json(accounts: Sequence[Account]) -> str:
    data = {"version": 1, "suites": [one.record for one in accounts]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _record(suite: Suite) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": suite.file,
        "policy": suite.plan.policy.name,
        "passed": suite.passed,
        "cases": [_case(outcome) for outcome in suite.outcomes],
    }
    if suite.total:
        survivors = [{"place": str(one.place), "change": one.change} for one in suite.survivors]
        found["mutation"] = {
            "mutants": suite.total,
            "killed": suite.total - len(suite.survivors),
            "score": round(suite.score, 4),
            "survivors": survivors,
        }
    return found


def _case(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    return {
        "name": case.name,
        "place": str(case.place),
        "passed": outcome.passed,
        "expected": {"decision": str(case.decision), "messages": list(case.messages)},
        "actual": {"decision": str(outcome.decision), "messages": list(outcome.messages)},
    }
