"""Who may do what: roles and their bindings."""

from typing import Any

from sluice.core.kubernetes.rules.checks import one_of, path_segment, subdomain, words
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
    texts,
)
from sluice.core.kubernetes.rules.shape import Root, leaf, node, required

_GROUP = "rbac.authorization.k8s.io"
_NEVER = frozenset(("read", "write", "edit", "view", "modify", "remove", "add", "all", "any"))


def _check_rules(role: dict[str, Any], context: Context) -> Faults:
    everywhere = context.kind == "ClusterRole"
    for index, rule in mappings(role, "rules"):
        for problem in _check_rule(rule, everywhere=everywhere):
            yield Fault(problem.rule, ("rules", index, *problem.pointer), problem.message)


def _check_rule(rule: dict[str, Any], *, everywhere: bool) -> Faults:
    if not rule.get("verbs"):
        yield Fault("SEM130", (), "verbs is missing")
    if urls := rule.get("nonResourceURLs"):
        if not everywhere:
            yield Fault("SEM131", ("nonResourceURLs",), "a Role holds for resources only")
        elif rule.get("resources") or rule.get("apiGroups"):
            yield Fault("SEM131", ("nonResourceURLs",), "resources are named in the same rule")
    for key in () if urls else ("apiGroups", "resources"):
        if not rule.get(key):
            yield Fault("SEM130", (), f"{key} is missing")
    for index, verb in texts(rule, "verbs"):
        if verb != verb.lower() or verb in _NEVER:
            yield Fault("SEM134", ("verbs", index), f"{show(verb)} matches no request")


def _check_role_reference(binding: dict[str, Any], context: Context) -> Faults:
    reference = mapping(binding, "roleRef")
    if context.kind == "ClusterRoleBinding" and reference.get("kind") == "Role":
        yield Fault("SEM132", ("roleRef", "kind"), "a ClusterRoleBinding binds a ClusterRole")
    if text(reference, "apiGroup") not in ("", _GROUP):
        message = f"{show(reference['apiGroup'])} is not {_GROUP}"
        yield Fault("SEM132", ("roleRef", "apiGroup"), message)
    if context.old is not None and mapping(context.old, "roleRef") != reference:
        yield Fault("SEM135", ("roleRef",), "roleRef has changed")


def _check_subjects(binding: dict[str, Any], context: Context) -> Faults:
    for index, subject in mappings(binding, "subjects"):
        kind, group = text(subject, "kind"), text(subject, "apiGroup")
        wanted = "" if kind == "ServiceAccount" else _GROUP
        here = ("subjects", index)
        name = text(subject, "name")
        if not name:
            yield Fault("SEM133", here, "name is missing")
        elif kind == "ServiceAccount" and (wrong := subdomain(name)):
            yield Fault("SEM133", (*here, "name"), wrong)
        if wrong := one_of("User", "Group", "ServiceAccount", empty=False)(kind):
            yield Fault("SEM133", (*here, "kind") if kind else here, wrong)
        elif group not in ("", wanted):
            yield Fault("SEM133", (*here, "apiGroup"), f"{show(group)} has no {kind}")
        everywhere = context.kind == "ClusterRoleBinding"
        if kind == "ServiceAccount" and everywhere and not subject.get("namespace"):
            yield Fault("SEM133", here, "namespace is missing")


ROLE: Root = ({}, (_check_rules,))
BINDING: Root = (
    {
        "roleRef": node(
            {
                "kind": leaf("SEM132", one_of("Role", "ClusterRole", empty=False)),
                "name": leaf("SEM132", words(path_segment)),
            },
            required("SEM132", "kind", "name"),
        )
    },
    (required("SEM132", "roleRef"), _check_role_reference, _check_subjects),
)
