"""Where pods may run: tolerations, spreading, affinity."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, one_of, qualified, words
from sluice.core.kubernetes.rules.metadata import LABELS, SELECTOR
from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mappings, show, text
from sluice.core.kubernetes.rules.shape import Fields, each, leaf, node, required, unique

_OPERATORS = {"In": 1, "NotIn": 1, "Exists": 0, "DoesNotExist": 0, "Gt": 2, "Lt": 2}
_ONE_NUMBER = 2


def _check_toleration(toleration: dict[str, Any], _: Context) -> Faults:
    operator = text(toleration, "operator") or "Equal"
    if operator == "Exists" and toleration.get("value"):
        yield Fault("SEM048", ("value",), "operator Exists takes no value")
    if operator != "Exists" and not toleration.get("key"):
        yield Fault("SEM048", (), "without a key the operator must be Exists")
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        message = "tolerationSeconds needs the effect NoExecute"
        yield Fault("SEM048", ("tolerationSeconds",), message)


def _check_domains(constraint: dict[str, Any], _: Context) -> Faults:
    waits = constraint.get("whenUnsatisfiable") == "DoNotSchedule"
    if constraint.get("minDomains") is not None and not waits:
        yield Fault("SEM049", ("minDomains",), "minDomains needs DoNotSchedule")
    if constraint.get("matchLabelKeys") and constraint.get("labelSelector") is None:
        yield Fault("SEM049", ("matchLabelKeys",), "matchLabelKeys needs a labelSelector")


def _check_expressions(term: dict[str, Any], _: Context) -> Faults:
    for key in ("matchExpressions", "matchFields"):
        for index, expression in mappings(term, key):
            if wrong := _expression(expression):
                yield Fault("SEM050", (key, index), wrong)


def _expression(expression: dict[str, Any]) -> str | None:
    operator, values = text(expression, "operator"), expression.get("values")
    given = values if isinstance(values, list) else []
    wanted = _OPERATORS.get(operator)
    if wanted is None:
        return f"operator {show(operator)} is none of {', '.join(_OPERATORS)}"
    if wanted == _ONE_NUMBER:
        return None if len(given) == 1 else f"{operator} needs one number"
    if bool(given) is not bool(wanted):
        return f"{operator} {'needs' if wanted else 'takes no'} values"
    return None


TOLERATION = node(
    {
        "key": leaf("SEM048", words(lambda key: qualified(key) if key else None)),
        "operator": leaf("SEM048", one_of("Exists", "Equal", "Lt", "Gt")),
        "effect": leaf("SEM048", one_of("NoSchedule", "PreferNoSchedule", "NoExecute")),
    },
    _check_toleration,
)
_POLICY = leaf("SEM049", one_of("Honor", "Ignore"))
_CONSTRAINT = node(
    {
        "maxSkew": leaf("SEM049", between(1)),
        "minDomains": leaf("SEM049", between(1)),
        "whenUnsatisfiable": leaf("SEM049", one_of("DoNotSchedule", "ScheduleAnyway", empty=False)),
        "topologyKey": leaf("SEM049", words(qualified)),
        "labelSelector": SELECTOR,
        "nodeAffinityPolicy": _POLICY,
        "nodeTaintsPolicy": _POLICY,
    },
    required("SEM049", "maxSkew", "topologyKey", "whenUnsatisfiable"),
    _check_domains,
)
_KEYED = node({"key": leaf("SEM050", words(qualified))}, required("SEM050", "key"))
_NODE_TERM = node({"matchExpressions": each(_KEYED)}, _check_expressions)
_POD_TERM = node({"labelSelector": SELECTOR}, required("SEM050", "topologyKey"))
_WEIGHT = leaf("SEM050", between(1, 100))
_WEIGHED = required("SEM050", "weight")
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PODS = node(
    {
        _REQUIRED: each(_POD_TERM),
        _PREFERRED: each(node({"weight": _WEIGHT, "podAffinityTerm": _POD_TERM}, _WEIGHED)),
    }
)

FIELDS: Fields = {
    "nodeSelector": LABELS,
    "tolerations": each(TOLERATION),
    "topologySpreadConstraints": each(_CONSTRAINT),
    "affinity": node(
        {
            "nodeAffinity": node(
                {
                    _REQUIRED: node(
                        {"nodeSelectorTerms": each(_NODE_TERM)},
                        required("SEM050", "nodeSelectorTerms"),
                    ),
                    _PREFERRED: each(node({"weight": _WEIGHT, "preference": _NODE_TERM}, _WEIGHED)),
                }
            ),
            "podAffinity": _PODS,
            "podAntiAffinity": _PODS,
        }
    ),
}
SPREAD_DIFFERS = unique("SEM049", "topologySpreadConstraints", "topologyKey", "whenUnsatisfiable")
