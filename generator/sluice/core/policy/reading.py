"""Policies and bindings read from YAML; what the API server would refuse is a finding."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.core.documents.source import Pointer, Source
from sluice.core.finding import Finding
from sluice.core.policy.model import (
    Binding,
    Expression,
    Match,
    Named,
    ParamKind,
    ParamRef,
    Policy,
    Requirement,
    Rule,
    Selector,
    Validation,
)

GROUP = "admissionregistration.k8s.io"
_VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT", "*")
_ACTIONS = ("Deny", "Warn", "Audit")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_CONDITION_LIMIT = 64
_ANNOTATION_LIMIT = 20


def is_policy(data: Mapping[str, Any]) -> bool:
    """Whether an object is a ValidatingAdmissionPolicy."""
    return data.get("kind") == "ValidatingAdmissionPolicy" and data.get("apiVersion") in _VERSIONS


def is_binding(data: Mapping[str, Any]) -> bool:
    """Whether an object is a ValidatingAdmissionPolicyBinding."""
    kind = "ValidatingAdmissionPolicyBinding"
    return data.get("kind") == kind and data.get("apiVersion") in _VERSIONS


def read_policy(source: Source, findings: list[Finding]) -> Policy:
    """The policy; what is wrong with it goes to the findings, and the record is then of no use."""
    reader = _Reader(source, findings)
    spec = reader.mapping(source.data, "spec", (), required=True)
    at = ("spec",)
    constraints = reader.mapping(spec, "matchConstraints", at, required=True)
    match = reader.match(constraints, (*at, "matchConstraints"))
    if "matchConstraints" in spec and not match.rules:
        reader.wrong((*at, "matchConstraints"), "resourceRules must name at least one resource")
    policy = Policy(
        name=reader.name(),
        match=match,
        source=source,
        param_kind=reader.param_kind(spec, at),
        conditions=reader.named(spec, "matchConditions", "name", "expression"),
        variables=reader.variables(spec),
        validations=reader.validations(spec),
        annotations=reader.named(spec, "auditAnnotations", "key", "valueExpression"),
        ignore_errors=reader.choice(spec, "failurePolicy", at, ("Fail", "Ignore")) == "Ignore",
    )
    if not policy.validations and not policy.annotations:
        reader.wrong(at, "validations or auditAnnotations must have an entry")
    if len(policy.conditions) > _CONDITION_LIMIT:
        reader.wrong((*at, "matchConditions"), f"must have at most {_CONDITION_LIMIT} entries")
    if len(policy.annotations) > _ANNOTATION_LIMIT:
        reader.wrong((*at, "auditAnnotations"), f"must have at most {_ANNOTATION_LIMIT} entries")
    return policy


def read_binding(source: Source, findings: list[Finding]) -> Binding:
    """The binding; what is wrong with it goes to the findings, and the record is then of no use."""
    reader = _Reader(source, findings)
    spec = reader.mapping(source.data, "spec", (), required=True)
    at = ("spec",)
    actions = reader.texts(spec, "validationActions", at, _ACTIONS, required=True)
    if {"Deny", "Warn"} <= set(actions) or len(set(actions)) < len(actions):
        reader.wrong((*at, "validationActions"), "Deny excludes Warn, and each may stand once")
    resources = reader.mapping(spec, "matchResources", at)
    return Binding(
        name=reader.name(),
        policy=reader.text(spec, "policyName", at, required=True),
        actions=actions,
        params=reader.param_ref(spec, at),
        match=reader.match(resources, (*at, "matchResources")),
        source=source,
    )


@dataclass(frozen=True)
class _Reader:
    source: Source
    findings: list[Finding]

    def wrong(self, pointer: Pointer, message: str) -> None:
        where = ".".join(str(part) for part in pointer)
        self.findings.append(Finding(self.source.place(pointer), "POL002", f"{where}: {message}"))

    def _value(
        self, data: Mapping[str, Any], key: str, at: Pointer, kind: type, *, required: bool
    ) -> Any:  # noqa: ANN401  # of the kind that is asked for, or None
        value = data.get(key)
        if value is None:
            if required:
                self.wrong((*at, key), "is required")
            return None
        if not isinstance(value, kind) or (kind is str and required and not value):
            self.wrong((*at, key), f"is not {_KINDS[kind]}")
            return None
        return value

    def mapping(
        self, data: Mapping[str, Any], key: str, at: Pointer, *, required: bool = False
    ) -> Mapping[str, Any]:
        return self._value(data, key, at, dict, required=required) or {}

    def text(
        self, data: Mapping[str, Any], key: str, at: Pointer, *, required: bool = False
    ) -> str:
        return self._value(data, key, at, str, required=required) or ""

    def choice(self, data: Mapping[str, Any], key: str, at: Pointer, allowed: Sequence[str]) -> str:
        """One of the allowed texts; the first when absent."""
        value = self.text(data, key, at) or allowed[0]
        if value not in allowed:
            self.wrong((*at, key), f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def texts(
        self,
        data: Mapping[str, Any],
        key: str,
        at: Pointer,
        allowed: Sequence[str] = (),
        *,
        required: bool = False,
    ) -> tuple[str, ...]:
        values = self._value(data, key, at, list, required=required) or []
        for index, value in enumerate(values):
            if not isinstance(value, str) or (allowed and value not in allowed):
                options = f" of {', '.join(allowed)}" if allowed else ""
                self.wrong((*at, key, index), f"{value!r} is not one{options or ' text'}")
        if required and not values and data.get(key) is not None:
            self.wrong((*at, key), "must have an entry")
        return tuple(value for value in values if isinstance(value, str))

    def entries(
        self, data: Mapping[str, Any], key: str, at: Pointer
    ) -> Iterable[tuple[Pointer, Mapping[str, Any]]]:
        for index, entry in enumerate(self._value(data, key, at, list, required=False) or []):
            pointer = (*at, key, index)
            if isinstance(entry, dict):
                yield pointer, entry
            else:
                self.wrong(pointer, "is not a mapping")

    def name(self) -> str:
        metadata = self.mapping(self.source.data, "metadata", (), required=True)
        return self.text(metadata, "name", ("metadata",), required=True)

    def expression(self, data: Mapping[str, Any], key: str, at: Pointer) -> Expression:
        return Expression(self.text(data, key, at, required=True), self.source, (*at, key))

    def named(
        self, spec: Mapping[str, Any], key: str, name: str, expression: str
    ) -> tuple[Named, ...]:
        found: list[Named] = []
        for at, entry in self.entries(spec, key, ("spec",)):
            label = self.text(entry, name, at, required=True)
            if label in {one.name for one in found}:
                self.wrong((*at, name), f"{label!r} stands twice")
            found.append(Named(label, self.expression(entry, expression, at)))
        return tuple(found)

    def variables(self, spec: Mapping[str, Any]) -> tuple[Named, ...]:
        found = self.named(spec, "variables", "name", "expression")
        for variable in found:
            if variable.name and not _IDENTIFIER.fullmatch(variable.name):
                self.wrong((*variable.expression.pointer[:-1], "name"), "is not a CEL identifier")
        return found

    def validations(self, spec: Mapping[str, Any]) -> tuple[Validation, ...]:
        found: list[Validation] = []
        for at, entry in self.entries(spec, "validations", ("spec",)):
            message = self._worded(entry, "message", at)
            if "\n" in message.strip():
                self.wrong((*at, "message"), "has more than one line")
            text = self._worded(entry, "messageExpression", at)
            pointer = (*at, "messageExpression")
            found.append(
                Validation(
                    expression=self.expression(entry, "expression", at),
                    message=message,
                    message_expression=Expression(text, self.source, pointer) if text else None,
                    reason=self._reason(entry, at),
                )
            )
        return tuple(found)

    def _worded(self, entry: Mapping[str, Any], key: str, at: Pointer) -> str:
        """A text that may be absent, but not blank."""
        text = self.text(entry, key, at)
        if entry.get(key) and not text.strip():
            self.wrong((*at, key), "must say something where it stands")
        return text

    def _reason(self, entry: Mapping[str, Any], at: Pointer) -> str:
        return self.choice(entry, "reason", at, _REASONS) if entry.get("reason") else "Invalid"

    def param_kind(self, spec: Mapping[str, Any], at: Pointer) -> ParamKind | None:
        kind = self.mapping(spec, "paramKind", at)
        at = (*at, "paramKind")
        if not kind:
            return None
        version = self.text(kind, "apiVersion", at, required=True)
        if version.count("/") > 1:
            self.wrong((*at, "apiVersion"), f"{version!r} is not group/version")
        return ParamKind(version, self.text(kind, "kind", at, required=True))

    def param_ref(self, spec: Mapping[str, Any], at: Pointer) -> ParamRef | None:
        reference = self.mapping(spec, "paramRef", at)
        at = (*at, "paramRef")
        if not reference:
            return None
        selector = self._value(reference, "selector", at, dict, required=False)
        name = self.text(reference, "name", at)
        if bool(name) is (selector is not None):
            self.wrong(at, "needs a name or a selector, and not both")
        missing = self.text(reference, "parameterNotFoundAction", at, required=True)
        if missing and missing not in ("Allow", "Deny"):
            self.wrong((*at, "parameterNotFoundAction"), "is not one of Allow, Deny")
        return ParamRef(
            name=name,
            namespace=self.text(reference, "namespace", at),
            selector=None if selector is None else self.selector(selector, (*at, "selector")),
            deny_when_missing=missing == "Deny",
        )

    def match(self, data: Mapping[str, Any], at: Pointer) -> Match:
        objects = self.mapping(data, "objectSelector", at)
        namespaces = self.mapping(data, "namespaceSelector", at)
        return Match(
            rules=self._rules(data, "resourceRules", at),
            excluded=self._rules(data, "excludeResourceRules", at),
            objects=self.selector(objects, (*at, "objectSelector")),
            namespaces=self.selector(namespaces, (*at, "namespaceSelector")),
            equivalent=self.choice(data, "matchPolicy", at, ("Equivalent", "Exact"))
            == "Equivalent",
        )

    def _rules(self, data: Mapping[str, Any], key: str, at: Pointer) -> tuple[Rule, ...]:
        return tuple(self._rule(rule, pointer) for pointer, rule in self.entries(data, key, at))

    def _rule(self, rule: Mapping[str, Any], at: Pointer) -> Rule:
        return Rule(
            groups=self._wildcards(rule, "apiGroups", at),
            versions=self._wildcards(rule, "apiVersions", at),
            resources=frozenset(self.texts(rule, "resources", at, required=True)),
            operations=self._wildcards(rule, "operations", at, _OPERATIONS),
            scope=self.choice(rule, "scope", at, ("*", "Cluster", "Namespaced")),
            names=frozenset(self.texts(rule, "resourceNames", at)),
        )

    def _wildcards(
        self, rule: Mapping[str, Any], key: str, at: Pointer, allowed: Sequence[str] = ()
    ) -> frozenset[str]:
        """Texts of which a star stands alone."""
        values = self.texts(rule, key, at, allowed, required=True)
        if "*" in values and len(values) > 1:
            self.wrong((*at, key), "where '*' stands, nothing else may")
        return frozenset(values)

    def selector(self, data: Mapping[str, Any], at: Pointer) -> Selector:
        labels = self.mapping(data, "matchLabels", at)
        found = [Requirement(str(k), "In", frozenset([str(v)])) for k, v in labels.items()]
        for pointer, entry in self.entries(data, "matchExpressions", at):
            operator = self.text(entry, "operator", pointer, required=True)
            values = self.texts(entry, "values", pointer)
            if operator not in _OPERATORS or (operator in ("In", "NotIn")) is not bool(values):
                self.wrong(
                    pointer,
                    "needs an operator of In and NotIn with values, or of Exists "
                    "and DoesNotExist without",
                )
            key = self.text(entry, "key", pointer, required=True)
            found.append(Requirement(key, operator, frozenset(values)))
        return tuple(found)


_KINDS: dict[type, str] = {dict: "a mapping", list: "a list", str: "text"}
