"""How a function of a CEL library is declared: what the type checker sees, and what runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TYPES = {
    "url": "kubernetes.URL",
    "quantity": "kubernetes.Quantity",
    "semver": "kubernetes.Semver",
    "format": "kubernetes.NamedFormat",
    "ip": "net.IP",
    "cidr": "net.CIDR",
}
"""Types of Kubernetes' own libraries. At run time a value of one is a map with these two keys."""

KIND, VALUE = "@type", "@value"

Implementation = Callable[..., Any]


@dataclass(frozen=True)
class Overload:
    """One signature of a function.

    Args:
        name: the function.
        signature: parameter types, an arrow, and the result, as in `quantity, int -> quantity`.
        run: what computes it; raises ValueError for what is an error in CEL.
        member: whether the first parameter is the receiver.
    """

    name: str
    signature: str
    run: Implementation
    member: bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        """The types of the parameters."""
        left = self.signature.split("->", maxsplit=1)[0].strip()
        return tuple(part.strip() for part in left.split(",")) if left else ()

    @property
    def result(self) -> str:
        """The type of the result."""
        return self.signature.split("->", maxsplit=1)[1].strip()


def tagged(kind: str, value: str) -> dict[str, str]:
    """A value of one of Kubernetes' own types."""
    return {KIND: TYPES[kind], VALUE: value}


def untagged(kind: str, value: Mapping[str, Any]) -> str:
    """The content of a value of one of Kubernetes' own types.

    Raises:
        ValueError: when it is of another type.
    """
    if value.get(KIND) != TYPES[kind]:
        raise ValueError("no such overload")
    return str(value[VALUE])
