"""What a cycle sees of the registry, and what each release asks for; each one apart from others."""

from collections.abc import Iterator, Mapping, Sequence

from sluice.core.layout import Key
from sluice.core.model import ModelVersion
from sluice.core.promotion.group import is_group, members_of
from sluice.core.promotion.wants import Idle, Want, want_of
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.reconciler.promotions.snapshot import Base, Pulls
from sluice.reconciler.runtime import ALIKE, Outcome, World, failure

Observed = Mapping[str, Sequence[ModelVersion]]


def observe(world: World, base: Base) -> Observed:
    """Every version of the models that a release follows."""
    names, aliased = base.followed
    return world.registry.versions(names, aliased)


def observed_apart(world: World, base: Base) -> tuple[Observed, dict[str, UnforeseenError]]:
    """As `observe`, and the models of which the registry says what nobody foresaw.

    What fails for some models is asked again of half of them, until they are found.

    Raises:
        UsageError: the registry does not answer, or fails for every model alike.
    """
    names, aliased = base.followed
    found: dict[str, Sequence[ModelVersion]] = {}
    silent: dict[str, UnforeseenError] = {}
    left = [sorted(names)]
    while left:
        some = left.pop()
        try:
            with isolated("the registry"):
                found |= world.registry.versions(
                    frozenset(some), None if aliased is None else aliased & frozenset(some)
                )
        except UnforeseenError as error:
            if some[1:]:
                half = len(some) // 2
                left += [some[half:], some[:half]]
                continue
            silent.update(dict.fromkeys(some, error))
            if not found and (len(silent) >= ALIKE or not left):
                raise
    return found, silent


def asked_for(
    base: Base, observed: Observed, silent: Mapping[str, UnforeseenError] | None = None
) -> tuple[list[Want | Idle], dict[Key, UnforeseenError]]:
    """What each release asks for, and of which nobody can tell, with the reason.

    Nothing is done about those: no answer is not the answer that a release wants nothing.
    """
    found: list[Want | Idle] = []
    unclear: dict[Key, UnforeseenError] = {}
    for key, release in sorted(base.sound.specs.releases.items()):
        try:
            with apart("what a release asks for"):
                follow, name = release.follows, release.spec.model.name
                if follow is None:
                    continue
                if silent and name in silent:
                    raise silent[name]
                found.append(want_of(release, follow, observed, base.registered.get(key)))
        except UnforeseenError as error:
            unclear[key] = error
    return found, unclear


def told(unclear: Mapping[Key, UnforeseenError]) -> Iterator[Outcome]:
    """The outcomes of releases of which nobody can tell what they ask for."""
    for key, error in unclear.items():
        yield failure(str(key), error)


def branches_with(pulls: Pulls, keys: Mapping[Key, object]) -> list[str]:
    """The shared branches whose open pull requests have some of these releases in them."""
    return [
        branch
        for branch, listed in pulls.items()
        if is_group(branch)
        and any(pull.state == "open" and keys.keys() & set(members_of(pull)) for pull in listed)
    ]
