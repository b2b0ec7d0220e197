"""Warnings about fields that the kinds of Kubernetes do not have, as the cluster's own check gives.

A cluster writes them into the policy's status, where nobody looks; the policy is installed anyway.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sluice.core.cel.checking import Typing
from sluice.core.cel.descriptors import NAMESPACE, REQUEST, Pool
from sluice.core.cel.versions import Version
from sluice.core.finding import Finding, Severity
from sluice.core.kubernetes.closure import schema_for
from sluice.core.policy.model import Policy, Rule
from sluice.core.policy.plan import Compiler, Plan
from sluice.core.policy.resources import resource_of

TYPE_RULE = "POL004"
"""An expression that does not fit the types of a kind that the policy matches."""

_KIND_LIMIT = 10
_STRUCT = re.compile(r"'(?:[\w]+_)?v\d\w*?_(\w+)'")


class KindTypes:
    """The types of Kubernetes' kinds, as the type checker knows them.

    Args:
        schemas: the merged data of schemas/kubernetes.
    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.names = sorted(schemas["kinds"])
        self._schemas = schemas
        self._typings: dict[tuple[Version, str, str], Typing | None] = {}

    def of_kind(self, version: Version, api_version: str, kind: str) -> Typing | None:
        """The types of one kind's objects; None where that version of Kubernetes has none."""
        key = version, api_version, kind
        if key not in self._typings:
            self._typings[key] = self._typing(*key)
        return self._typings[key]

    def _typing(self, version: Version, api_version: str, kind: str) -> Typing | None:
        text = ".".join(map(str, version))
        schema = schema_for(self._schemas, text, api_version, kind)
        if not schema:
            return None
        types = {"AdmissionRequest": REQUEST, "Namespace": NAMESPACE, "object": schema}
        variables = dict.fromkeys(("object", "oldObject"), "kubernetes.object")
        return Typing(Pool(types, schema["$defs"]), variables)


def type_warnings(plan: Plan, types: KindTypes) -> list[Finding]:
    """What does not fit, for each kind that the policy names and whose types are known."""
    if plan.problems:
        return []
    found: list[Finding] = []
    for api_version, kind in list(_kinds(plan.policy, types.names))[:_KIND_LIMIT]:
        typing = types.of_kind(plan.version, api_version, kind)
        if typing:
            found += _check(plan, typing, f"{api_version} {kind}")
    return found


def _check(plan: Plan, typing: Typing, name: str) -> Iterator[Finding]:
    checked = replace(plan.policy, conditions=(), annotations=())
    compiler = Compiler(checked, plan.version, plan.engine, typing)
    for problem in compiler.plan().problems:
        message = _STRUCT.sub(r"'\1'", problem.message).replace("struct 'object'", name)
        yield Finding(
            problem.place,
            TYPE_RULE,
            f"{message}, for {name}",
            "correct the expression; the cluster gives the same warning in the policy's status",
            Severity.WARNING,
        )


def _kinds(policy: Policy, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        api_version, _, kind = name.rpartition("/")
        resource = resource_of({"apiVersion": api_version, "kind": kind})
        named = (resource.group, resource.version, resource.plural)
        if any(_names(rule, named) for rule in policy.match.rules):
            yield api_version, kind


def _names(rule: Rule, named: tuple[str, str, str]) -> bool:
    """Whether a rule names the kind itself, and not by a wildcard."""
    group, version, plural = named
    return group in rule.groups and version in rule.versions and plural in rule.resources
