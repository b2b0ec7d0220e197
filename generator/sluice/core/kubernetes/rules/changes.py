"""What an update may not touch."""

from typing import Any

from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mapping
from sluice.core.kubernetes.rules.shape import NodeRule


def check_same_selector(spec: dict[str, Any], context: Context) -> Faults:
    """The selector of a controller is fixed."""
    old = mapping(context.old, "spec").get("selector")
    if old is not None and old != spec.get("selector"):
        yield Fault("SEM062", ("selector",), "the selector differs from the one in the cluster")


def fixed(*fields: str) -> NodeRule:
    """Fields of the spec that an update may not touch."""

    def changed(spec: dict[str, Any], context: Context) -> Faults:
        old = mapping(context.old, "spec")
        for field in fields:
            if old.get(field) is not None and old.get(field) != spec.get(field):
                yield Fault("SEM063", (field,) if field in spec else (), f"{field} has changed")

    return changed
