"""Strategies as records: what each one does. Nothing else in the program knows them by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Shown = Literal["all", "none", "share", "chosen", "copies"]
"""Which requests a new version gets before it takes over.

all: every request, since Kubernetes itself replaces the pods and no two versions stand side by
side; none: nothing until it gets everything at once; share: a growing share of them; chosen: those
that a header or a cookie chooses; copies: copies, whose answers nobody sees.
"""
SHOWN: tuple[Shown, ...] = get_args(Shown)
Need = Literal["no", "may", "must"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a new version takes over.

    Args:
        name: as specs have it.
        shown: which requests the new version gets before it takes over.
        stops_first: whether the old replicas stop before new ones start, which means downtime.
        match: whether a release may, or must, say which requests are chosen.
        needs_steps: whether a release must say by which steps.
    """

    name: str
    shown: Shown
    stops_first: bool = False
    match: Need = "no"
    needs_steps: bool = False

    @property
    def has_candidate(self) -> bool:
        """Whether two versions stand side by side, and only routes move."""
        return self.shown != "all"

    @property
    def is_weighted(self) -> bool:
        """Whether the candidate gets a growing share of the requests."""
        return self.shown == "share"

    @property
    def is_switched(self) -> bool:
        """Whether the candidate gets nothing, and then everything at once."""
        return self.shown == "none"

    @property
    def chooses(self) -> bool:
        """Whether the candidate gets the chosen requests and no others."""
        return self.shown == "chosen"

    @property
    def copies(self) -> bool:
        """Whether the candidate gets copies of requests."""
        return self.shown == "copies"

    @property
    def needs_route(self) -> bool:
        """Whether it is nothing without a route that tells requests apart."""
        return self.has_candidate and not self.is_switched

    @property
    def takes_match(self) -> bool:
        """Whether a release may say which requests are chosen."""
        return self.match != "no"

    @property
    def is_fed(self) -> bool:
        """Whether requests come to the candidate that no client has to choose it for."""
        return self.is_weighted or self.copies

    def is_unseen(self, *, matched: bool) -> bool:
        """Whether no request reaches the candidate in a step of weight 0.

        Args:
            matched: whether the release says which requests are chosen.
        """
        return self.is_switched or (self.is_weighted and not matched)


_ALL = (
    Strategy("rolling", shown="all"),
    Strategy("recreate", shown="all", stops_first=True),
    Strategy("canary", shown="share", match="may", needs_steps=True),
    Strategy("blue-green", shown="none"),
    Strategy("ab", shown="chosen", match="must"),
    Strategy("shadow", shown="copies"),
)
STRATEGIES: Mapping[str, Strategy] = {strategy.name: strategy for strategy in _ALL}
DEFAULT = _ALL[0]
"""The strategy of a release that names none."""


def strategy_of(name: str) -> Strategy:
    """The strategy of this name.

    Raises:
        KeyError: for a name that has no record; schemas accept none.
    """
    return STRATEGIES[name]


def names_of(
    wanted: Callable[[Strategy], bool], among: Iterable[Strategy] = tuple(STRATEGIES.values())
) -> str:
    """The strategies that do what is wanted, in words: for remedies."""
    return " or ".join(sorted(strategy.name for strategy in among if wanted(strategy)))
