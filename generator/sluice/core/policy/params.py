"""The parameters of a policy: which objects a binding hands it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.core.policy.admission import Admission, Object, World, metadata_of
from sluice.core.policy.match import selects
from sluice.core.policy.model import Binding, ParamKind, ParamRef, Policy
from sluice.core.policy.resources import resource_of

UNBOUND = ""
"""The name of the binding that a policy without one is evaluated with."""


class ParamsError(Exception):
    """Parameters that the API server would not find or not take."""


def everything(policy: Policy) -> Binding:
    """A binding to everything, for a policy that has none; it uses all parameters of its kind."""
    params = ParamRef(selector=(), anywhere=True) if policy.param_kind else None
    return Binding(UNBOUND, policy.name, params=params)


def choose(
    kind: ParamKind | None, reference: ParamRef | None, request: Admission, world: World
) -> list[Object | None]:
    """The parameters to evaluate with, one after the other; None stands for a null.

    Raises:
        ParamsError: when the binding denies for want of parameters, or asks for them wrongly.
    """
    if kind is None or reference is None:
        return [None]
    found = _wanted(kind, reference, world)
    if not reference.anywhere:
        place = _namespace(kind, reference, world, request)
        found = [one for one in found if metadata_of(one).get("namespace") in (None, "", place)]
    chosen: list[Object | None] = [*found]
    if not chosen and reference.anywhere:
        return [None]
    if not chosen and reference.deny_when_missing:
        raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return chosen


def _namespace(kind: ParamKind, reference: ParamRef, world: World, request: Admission) -> str:
    """Where the parameters are looked for; nowhere in particular when they are cluster-scoped."""
    resource = resource_of({"apiVersion": kind.api_version, "kind": kind.kind})
    named = (kind.api_version, kind.kind)
    namespaced = resource.namespaced and (resource.built_in or named in world.placed)
    known = named in world.by_kind
    if not namespaced and reference.namespace and (known or not resource.namespaced):
        raise ParamsError(
            "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
        )
    if not namespaced:
        return ""
    place = reference.namespace or request.namespace
    if not place:
        raise ParamsError(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return place


def _wanted(kind: ParamKind, reference: ParamRef, world: World) -> Sequence[Object]:
    """The parameters that are named or selected, in any namespace."""
    selector = reference.selector
    if selector is None:
        return world.by_name.get((kind.api_version, kind.kind, reference.name), ())
    found = world.by_kind.get((kind.api_version, kind.kind), ())
    return [one for one in found if selects(selector, _labels(one))]


def _labels(obj: Object) -> Mapping[str, Any]:
    labels = metadata_of(obj).get("labels")
    return labels if isinstance(labels, Mapping) else {}
