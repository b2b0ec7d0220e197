"""`sluice policy eval`: what policies would say to objects, without a cluster."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click

from sluice.core.documents.objects import Part
from sluice.core.finding import Finding, FindingsError, UsageError
from sluice.core.kubernetes.defaults import normalise
from sluice.core.outgoing import lines_of
from sluice.core.policy.admission import Admission, World, admit
from sluice.core.policy.evaluate import Decision, Failure, Result, evaluate
from sluice.core.policy.layer import Begin
from sluice.core.policy.match import matches
from sluice.core.policy.model import Binding, Policy
from sluice.core.policy.plan import Plan, compile_policy
from sluice.core.policy.reading import is_binding, is_policy, read_binding, read_policy
from sluice.core.policy.resources import resource_of
from sluice.core.reports.report import report
from sluice.workspace.policies_apart import judge_apart
from sluice.workspace.policy_inputs import parse_version, read_parts

_OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT")
_NO_NAMESPACE = (
    "what it asks of a namespace's labels cannot be told: give a file with the namespace by "
    "--namespace"
)
_REFUSED = (Decision.DENY, Decision.ERROR)


@dataclass(frozen=True)
class Judgement:
    """One policy on one object."""

    result: Result
    part: Part
    request: Admission


def run(
    *,
    policies: Sequence[str],
    bindings: Sequence[str],
    objects: Sequence[str],
    old: Sequence[str],
    params: Sequence[str],
    namespace: Sequence[str],
    operation: str | None,
    kubernetes_version: str,
    form: str,
) -> int:
    """Print a decision for each policy, binding and object; 1 when any is deny or error.

    Args:
        policies: files with policies, and bindings if they like.
        bindings: files with bindings.
        objects: files with objects; those that policies do not match are skipped.
        old: files with what the cluster has of them; one without a successor is deleted.
        params: files with parameters of policies.
        namespace: files with namespaces; the first is where objects go that name none.
        operation: CREATE, UPDATE or DELETE; when absent, what the objects say.
        kubernetes_version: of the cluster, as in 1.34.
        form: text or json.

    Raises:
        UsageError: for files that are not there or hold no object, or a missing CEL engine.
        FindingsError: for files that cannot be read, and for policies that no cluster would take.
    """
    version = parse_version(kubernetes_version)
    asked = _operation(operation)
    known, bound = _read_policies([*read_parts(policies), *read_parts(bindings)])
    if not known:
        raise UsageError("there is no ValidatingAdmissionPolicy in the files given as policies")
    given = read_parts(objects)
    world, where = _read_world(read_parts(params), read_parts(namespace), given)
    requests = _make_requests(given, read_parts(old), world, where, asked, version)
    if not requests:
        raise UsageError("there is nothing to decide on: name files with --object or --old")

    def judge(some: Sequence[Policy], begin: Begin) -> tuple[str, bool]:
        plans = _make_plans(some, version, begin)
        judgements = _judge_each(requests, plans, bound, world, begin)
        said = _format_json(judgements) if form == "json" else _format_text(judgements)
        return said, any(one.result.decision in _REFUSED for one in judgements)

    (said, is_refused), findings = judge_apart(known, judge)
    sys.stdout.write(said)
    if findings:
        click.echo(report(findings, "text", {}), nl=False, err=True)
    return int(is_refused or bool(findings))


def _operation(given: str | None) -> str:
    name = (given or "").upper()
    if name and name not in _OPERATIONS:
        raise UsageError(f"{given!r} is not one of {', '.join(_OPERATIONS)}")
    return name


def _make_plans(policies: Sequence[Policy], version: tuple[int, int], begin: Begin) -> list[Plan]:
    plans: list[Plan] = []
    for index, policy in enumerate(policies):
        begin(index)
        plans.append(compile_policy(policy, version))
    return plans


def _judge_each(
    requests: Iterable[tuple[Part, Admission]],
    plans: Sequence[Plan],
    bound: Sequence[Binding],
    world: World,
    begin: Begin,
) -> list[Judgement]:
    judgements: list[Judgement] = []
    for part, request in requests:
        for index, plan in enumerate(plans):
            begin(index)
            for result in evaluate(plan, bound, request, world):
                is_known = not request.namespace or request.namespace in world.namespaces
                if not is_known and _waits_for_namespace(result, plan, bound, request):
                    explained = replace(result, notes=(_NO_NAMESPACE,))
                    judgements.append(Judgement(explained, part, request))
                else:
                    judgements.append(Judgement(result, part, request))
    return judgements


def _waits_for_namespace(
    result: Result, plan: Plan, bound: Sequence[Binding], request: Admission
) -> bool:
    """Whether an object is skipped since nobody gave the labels of its namespace."""
    if result.decision != Decision.SKIP:
        return False
    bindings = [one for one in bound if (one.policy, one.name) == (result.policy, result.binding)]
    matched = [(plan.policy.match, True), *((one.match, False) for one in bindings)]
    return any(match.namespaces for match, _ in matched) and all(
        matches(replace(match, namespaces=()), request, rules_required=required)
        for match, required in matched
    )


def _read_policies(parts: Iterable[Part]) -> tuple[list[Policy], list[Binding]]:
    findings: list[Finding] = []
    policies: list[Policy] = []
    bindings: list[Binding] = []
    for part in parts:
        if is_policy(part.data):
            policies.append(read_policy(part, findings))
        elif is_binding(part.data):
            bindings.append(read_binding(part, findings))
    if findings:
        raise FindingsError(findings)
    return policies, bindings


def _read_world(
    params: Iterable[Part], namespaces: Sequence[Part], objects: Iterable[Part]
) -> tuple[World, str]:
    """Parameters and namespaces; those among the objects are known too."""
    named = {_name(part.data): part.data for part in namespaces}
    own = [part for part in objects if part.data.get("kind") == "Namespace"]
    known = {_name(part.data): part.data for part in own} | named
    return World(tuple(part.data for part in params), known), next(iter(named), "")


def _make_requests(
    objects: Iterable[Part],
    old: Iterable[Part],
    world: World,
    where: str,
    operation: str,
    version: tuple[int, int],
) -> list[tuple[Part, Admission]]:
    """One for each object, in order, then one for each old object that has no successor."""
    ask = partial(admit, namespace=where, world=world, stored=True)
    before = {_identity(part.data, where): part for part in old}
    found: list[tuple[Part, Admission]] = []
    for part in objects:
        previous = before.pop(_identity(part.data, where), None)
        stored = None if previous is None else normalise(previous.data, version)
        obj = normalise(part.data, version)
        found.append((part, ask(obj, stored, operation=operation)))
    found += [(part, ask(None, normalise(part.data, version))) for part in before.values()]
    return found


def _identity(data: Mapping[str, Any], where: str) -> tuple[str, str, str, str]:
    resource = resource_of(data)
    metadata = data.get("metadata")
    given = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    return resource.group, resource.kind, str(given or where), _name(data)


def _name(data: Mapping[str, Any]) -> str:
    metadata = data.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""


def _format_json(judgements: Iterable[Judgement]) -> str:
    results = [_record(one) for one in judgements]
    return json.dumps({"version": 1, "results": results}, indent=2, ensure_ascii=False) + "\n"


def _record(one: Judgement) -> dict[str, Any]:
    resource, result = one.request.resource, one.result
    return {
        "policy": result.policy,
        "binding": result.binding or None,
        "object": {
            "apiVersion": f"{resource.group}/{resource.version}".lstrip("/"),
            "kind": resource.kind,
            "namespace": one.request.namespace or None,
            "name": one.request.name,
            "file": str(one.part.place()),
            "operation": one.request.operation,
        },
        "decision": str(result.decision),
        "messages": list(result.messages),
        "failures": [_failure(one.part, failure) for failure in result.failures],
        "auditAnnotations": dict(result.annotations),
    }


def _failure(part: Part, failure: Failure) -> dict[str, Any]:
    return {
        "validation": failure.index,
        "expression": failure.expression,
        "message": failure.message,
        "reason": failure.reason,
        "place": str(failure.place),
        "pointer": "".join(f"/{_escaped(step)}" for step in failure.pointer),
        "objectPlace": str(part.place(failure.pointer)),
    }


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def _format_text(judgements: Iterable[Judgement]) -> str:
    lines: list[str] = []
    for one in judgements:
        request, result = one.request, one.result
        where = f"{request.namespace}/" if request.resource.namespaced else ""
        about = f"{request.resource.kind} {where}{request.name}"
        bound = f" ({result.binding})" if result.binding else ""
        lines.append(f"{result.decision:5} {result.policy}{bound}: {about}")
        for failure in result.failures:
            place = one.part.place(failure.pointer)
            lines.append(f"      {place}: {failure.message} [{failure.place}]")
        lines += [f"      {note}" for note in result.notes]
    return lines_of(lines)
