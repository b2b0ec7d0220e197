"""Warnings about fields that the kinds of Kubernetes do not have, as the cluster's own check gives.

A cluster writes them into the policy's status, where nobody looks; the policy is installed anyway.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sluice.core.cel.descriptors import NAMESPACE, REQUEST, Pool
from sluice.core.finding import Finding, Severity
from sluice.core.kubernetes.closure import schema_for
from sluice.core.policy.model import Policy, Rule
from sluice.core.policy.plan import Compiler, Plan
from sluice.core.policy.resources import resource_of

TYPE_RULE = "POL004"
"""An expression that does not fit the types of a kind that the policy matches."""

_KIND_LIMIT = 10
_STRUCT = re.compile(r"'(?:[\w]+_)?v\d\w*?_(\w+)'")


def type_warnings(plan: Plan, schemas: Mapping[str, Any]) -> list[Finding]:
    """What does not fit, for each kind that the policy names and the schemas know.

    Args:
        plan: the policy.
        schemas: the merged data of schemas/kubernetes.
    """
    if plan.problems:
        return []
    version = ".".join(map(str, plan.version))
    found: list[Finding] = []
    for api_version, kind in list(_kinds(plan.policy, schemas))[:_KIND_LIMIT]:
        schema = schema_for(schemas, version, api_version, kind)
        if schema:
            found += _check(plan, schema, f"{api_version} {kind}")
    return found


def _check(plan: Plan, schema: Mapping[str, Any], name: str) -> Iterator[Finding]:
    types = {"AdmissionRequest": REQUEST, "Namespace": NAMESPACE, "object": schema}
    typed = dict.fromkeys(("object", "oldObject"), "kubernetes.object")
    checked = replace(plan.policy, conditions=(), annotations=())
    pool = Pool(types, schema["$defs"])
    compiler = Compiler(checked, plan.version, plan.engine, pool, typed)
    for problem in compiler.plan().problems:
        message = _STRUCT.sub(r"'\1'", problem.message).replace("struct 'object'", name)
        yield Finding(
            problem.place,
            TYPE_RULE,
            f"{message}, for {name}",
            "correct the expression; the cluster gives the same warning in the policy's status",
            Severity.WARNING,
        )


def _kinds(policy: Policy, schemas: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for known in sorted(schemas["kinds"]):
        api_version, _, kind = known.rpartition("/")
        resource = resource_of({"apiVersion": api_version, "kind": kind})
        named = (resource.group, resource.version, resource.plural)
        if any(_names(rule, named) for rule in policy.match.rules):
            yield api_version, kind


def _names(rule: Rule, named: tuple[str, str, str]) -> bool:
    """Whether a rule names the kind itself, and not by a wildcard."""
    group, version, plural = named
    return group in rule.groups and version in rule.versions and plural in rule.resources
