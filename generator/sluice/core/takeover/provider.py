"""Traffic providers as records: the routes that they read, and what they cannot do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.model import RouteKind
from sluice.core.takeover.fields import read_fields


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider cannot do something, and what to do instead."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Provider:
    """What sends requests from the edge to Services.

    Args:
        name: as environments have it.
        title: what people call it.
        route: the kind of its routes.
        weights: the path of the weights in a route. Empty where a second route of the same kind
            takes the candidate's requests from the first one.
        share_annotation: the annotation by which a second route does so; with `-weight` at its
            end it is the one that says how many percent.
        rules: the path of the rules in a route.
        refuses: what it cannot do: a way to show the candidate, or what requests are matched by.
        cookie_value: the one value of a cookie that it matches; empty where any will do.
        fields: fields of `traffic` that only some providers honour; true for those that it needs.
        default_class: the class of its routes where nobody names another.
        first_rule: whether it puts the rules of a host one after the other, in the order in which
            they came, and takes the first that matches; others take the most exact one.
        added_rules_keep_path: whether a rule that a controller adds is a copy of ours, with its
            path and its filters.
    """

    name: str
    title: str
    route: RouteKind
    weights: str = ""
    share_annotation: str = ""
    rules: str = ""
    refuses: Mapping[str, Refusal] = field(default_factory=dict)
    cookie_value: str = ""
    fields: Mapping[str, bool] = field(default_factory=dict)
    default_class: str = ""
    first_rule: bool = False
    added_rules_keep_path: bool = False

    @property
    def has_second_route(self) -> bool:
        """Whether the candidate has a route of its own beside the one of the stable version."""
        return not self.weights


_KEYS = {
    "name": "name",
    "title": "title",
    "route": "route",
    "weights": "weights",
    "shareAnnotation": "share_annotation",
    "rules": "rules",
    "refuses": "refuses",
    "cookieValue": "cookie_value",
    "fields": "fields",
    "defaultClass": "default_class",
    "firstRule": "first_rule",
    "addedRulesKeepPath": "added_rules_keep_path",
}
_REQUIRED = frozenset({"name", "title", "route"})


def provider_from(entry: Mapping[str, Any]) -> Provider:
    """Read the entry of a traffic provider.

    Raises:
        ValueError: for a key that is missing or means nothing, or where it is not said how
            weights are written.
    """
    read = read_fields(entry, _KEYS, _REQUIRED)
    if ("weights" in read) == ("share_annotation" in read):
        raise ValueError(f"{read['name']} needs weights, or shareAnnotation, and not both")
    read["route"] = RouteKind(**read["route"])
    refuses = read.get("refuses", {})
    read["refuses"] = {what: Refusal(**refusal) for what, refusal in refuses.items()}
    return Provider(**read)
