"""Controllers in the cluster that move a weight themselves, as records of what they do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.core.takeover.fields import read_fields
from sluice.core.takeover.strategy import SHOWN, Shown

OWN = "sluice"
"""Who moves the weight where no controller does: the reconciler, by commits."""
Copies = Literal["no", "all", "some"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a controller works with one traffic provider.

    Args:
        called: what the controller calls that provider; empty where it needs no name.
        template: of what the controller is told about the route, in its folder; empty where
            nothing is.
        makes_route: whether it makes the route itself, so that none is rendered.
        copies: whether it can have requests copied: not, all of them, or some.
    """

    called: str = ""
    template: str = ""
    makes_route: bool = False
    copies: Copies = "no"


@dataclass(frozen=True, slots=True)
class Controller:
    """What a controller is given, how it tells versions apart, and what it makes by itself.

    Args:
        name: as specs have it; its templates are in the folder of this name.
        workload: API version and kind of its workload on one node.
        template: of that workload, in its folder; empty where it is the ordinary one.
        shown: which requests it can show a new version before that takes over.
        arm: the labels that the metrics of the new pods have; {release} stands for its name.
        pod_label: the label of pods that becomes one of those.
        app: the label that its workloads select by, where that must be one of a few.
        without: fields of `rollout` that it has nothing for.
        makes_services: whether it makes the Services of both versions itself.
        copies_stable: whether it keeps the stable version as a copy of its own.
        looks_once_a_step: whether it looks at regular times, each of which leads to the next
            weight.
        share_or_chosen: whether a version gets a share or chosen requests, and never both.
        traffic: how it works with each traffic provider.
        unrouted: how it works without any.
        notes: what is otherwise than where we do it.
    """

    name: str
    workload: tuple[str, str]
    shown: frozenset[Shown]
    arm: Mapping[str, str]
    pod_label: str
    traffic: Mapping[str, Pairing]
    unrouted: Pairing = field(default_factory=Pairing)
    template: str = ""
    app: str = ""
    without: tuple[str, ...] = ()
    makes_services: bool = False
    copies_stable: bool = False
    looks_once_a_step: bool = False
    share_or_chosen: bool = False
    notes: tuple[str, ...] = ()

    @property
    def copying(self) -> list[str]:
        """The providers of traffic by which it has requests copied."""
        return sorted(name for name, pairing in self.traffic.items() if pairing.copies != "no")

    @property
    def copying_some(self) -> list[str]:
        """The providers of traffic by which it has a part of the requests copied."""
        return sorted(name for name, pairing in self.traffic.items() if pairing.copies == "some")


_KEYS = {
    "name": "name",
    "workload": "workload",
    "template": "template",
    "shown": "shown",
    "arm": "arm",
    "podLabel": "pod_label",
    "app": "app",
    "without": "without",
    "makesServices": "makes_services",
    "copiesStable": "copies_stable",
    "looksOnceAStep": "looks_once_a_step",
    "shareOrChosen": "share_or_chosen",
    "traffic": "traffic",
    "unrouted": "unrouted",
    "notes": "notes",
}
_REQUIRED = frozenset({"name", "workload", "shown", "arm", "podLabel", "traffic"})
_PAIRING = {
    "called": "called",
    "template": "template",
    "makesRoute": "makes_route",
    "copies": "copies",
}


def controller_from(entry: Mapping[str, Any]) -> Controller:
    """Read the entry of a controller.

    Raises:
        ValueError: for a key that is missing or means nothing, or a way to show requests that no
            strategy has.
    """
    read = read_fields(entry, _KEYS, _REQUIRED)
    read["workload"] = (read["workload"]["apiVersion"], read["workload"]["kind"])
    read["shown"] = frozenset(read["shown"])
    unknown = sorted(read["shown"].difference(SHOWN))
    if unknown:
        raise ValueError(f"{read['name']}: {unknown[0]} is not one of {', '.join(SHOWN)}")
    read["traffic"] = {name: _pairing(given) for name, given in read["traffic"].items()}
    read["unrouted"] = _pairing(read.get("unrouted", {}))
    for listed in ("without", "notes"):
        read[listed] = tuple(read.get(listed, ()))
    return Controller(**read)


def _pairing(entry: Mapping[str, Any]) -> Pairing:
    return Pairing(**read_fields(entry, _PAIRING, frozenset()))
