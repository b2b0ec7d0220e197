"""All records together, and the ones that a release goes by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.core.takeover.controller import OWN, Controller, Pairing, controller_from
from sluice.core.takeover.provider import Provider, provider_from
from sluice.core.takeover.scaler import Scaler, scaler_from
from sluice.core.takeover.strategy import Strategy, strategy_of

Family = Literal["traffic", "controllers", "scalers"]
"""Folders of the catalog whose entries need templates, so that only Sluice brings them."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """How one version of a release takes over.

    Args:
        strategy: what happens.
        mover: the name of who moves the weight.
        controller: the controller in the cluster that moves it; None where none does.
        provider: what routes; None where nobody outside reaches releases.
    """

    strategy: Strategy
    mover: str = OWN
    controller: Controller | None = None
    provider: Provider | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether a controller in the cluster moves the weight."""
        return self.controller is not None

    @property
    def is_ours(self) -> bool:
        """Whether two versions stand side by side, and commits move the weight.

        Each version has a workload of its own then, so that taking over only moves routes.
        """
        return self.strategy.has_candidate and self.controller is None

    @property
    def pairing(self) -> Pairing:
        """How the controller works with the provider; one that does nothing without a controller.

        Raises:
            KeyError: when the controller says nothing of the provider.
        """
        if self.controller is None:
            return Pairing()
        if self.provider is None:
            return self.controller.unrouted
        return self.controller.traffic[self.provider.name]


@dataclass(frozen=True, slots=True)
class Records:
    """Every traffic provider, controller and scaler, by its name in specs."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    scalers: Mapping[str, Scaler] = field(default_factory=dict)

    def takeover(self, strategy: str, mover: str, provider: Provider | None) -> Takeover:
        """The records that a release goes by: the one place where names become records.

        Args:
            strategy: the one that its `rollout` names.
            mover: who moves the weight, as its `rollout` says.
            provider: the traffic provider of its environment, if it has one.

        Raises:
            KeyError: for a name that has no record; schemas accept none.
        """
        chosen = strategy_of(strategy)
        is_moved = chosen.has_candidate and mover != OWN
        controller = self.controllers[mover] if is_moved else None
        return Takeover(chosen, mover, controller, provider)

    @property
    def provider_fields(self) -> set[str]:
        """Fields of `traffic` that only some providers honour."""
        return {field for provider in self.providers.values() for field in provider.fields}


def read_records(
    read: Callable[[Family, str], Mapping[str, Any] | None],
    names: Callable[[Family], Sequence[str]],
) -> Records:
    """All records of the catalog.

    Args:
        read: gives the entry of a family.
        names: gives the names of a family.

    Raises:
        ValueError: for an entry that cannot be read.
    """

    def entries(family: Family) -> dict[str, Mapping[str, Any]]:
        return {name: read(family, name) or {} for name in names(family)}

    return Records(
        providers={name: provider_from(e) for name, e in entries("traffic").items()},
        controllers={name: controller_from(e) for name, e in entries("controllers").items()},
        scalers={name: scaler_from(e) for name, e in entries("scalers").items()},
    )
