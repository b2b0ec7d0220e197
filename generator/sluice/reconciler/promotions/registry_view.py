"""What a cycle sees of the registry, and what each release asks for; each one apart from others."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.model import ModelVersion
from sluice.core.promotion.absence import forgotten, is_fault
from sluice.core.promotion.branches import is_group
from sluice.core.promotion.confirmation import NUMBERS
from sluice.core.promotion.decisions import Decision, Keep, Propose, Refuse
from sluice.core.promotion.group import members_of
from sluice.core.promotion.outcome import ALIKE, Outcome, failure
from sluice.core.promotion.wants import Idle, Want, want_of
from sluice.core.unforeseen import UnforeseenError, apart, isolated
from sluice.reconciler.promotions.snapshot import Base, Pulls
from sluice.reconciler.runtime import Runtime

Observed = Mapping[str, Sequence[ModelVersion]]


class ForgottenError(UsageError):
    """The registry does not list most of what it listed before."""

    cause = "registry forgets"


def observe(runtime: Runtime, base: Base) -> Observed:
    """Every version of the models that a release follows."""
    names, aliased = base.followed
    return runtime.registry.versions(names, aliased)


def observe_apart(runtime: Runtime, base: Base) -> tuple[Observed, dict[str, UnforeseenError]]:
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
                found |= runtime.registry.versions(
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


def find_wants(
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


def check_observed(runtime: Runtime, names: Collection[str], observed: Observed) -> None:
    """Compare what the registry lists of some models with what it listed before; remember it.

    Raises:
        ForgottenError: a large part of it is missing.
    """
    before = runtime.memory.registered
    lost, total = forgotten({name: before[name] for name in before.keys() & names}, observed)
    if is_fault(lost, total):
        raise ForgottenError(
            f"the registry does not list {lost} of the {total} versions that it listed before, so "
            "nothing is done: look into it; if they were deleted on purpose, start Sluice again"
        )
    runtime.memory.registered = {
        name: frozenset(version.version for version in versions)
        for name, versions in observed.items()
    }


def forget_shown(runtime: Runtime, asked: Iterable[Want | Idle]) -> None:
    """Forget since when a version is missing, of every release of which none is missing now."""
    unseen = {w.release.key for w in asked if isinstance(w, Idle) and w.unseen}
    kept = runtime.memory.missing.items()
    runtime.memory.missing = {
        what: since for what, since in kept if what[0] in unseen or what[1] == NUMBERS
    }


def remember(runtime: Runtime, decision: Decision) -> None:
    """Keep since when the registry does not show something, by what was decided about it."""
    memory = runtime.memory
    abouts = decision.about if isinstance(decision, Refuse) else (decision,)
    for about in abouts:
        if isinstance(about, Keep) and about.missing:
            if about.counts:
                memory.missing.setdefault(about.missing, runtime.clock())
            else:
                memory.missing.pop(about.missing, None)
        elif isinstance(about, Propose):
            for key in about.proposal.keys:
                memory.missing.pop((key, NUMBERS), None)


def tell_unclear(unclear: Mapping[Key, UnforeseenError]) -> Iterator[Outcome]:
    """The outcomes of releases of which nobody can tell what they ask for."""
    for key, error in unclear.items():
        yield failure(str(key), error)


def find_branches_with(pulls: Pulls, keys: Mapping[Key, object]) -> list[str]:
    """The shared branches whose open pull requests have some of these releases in them."""
    return [
        branch
        for branch, listed in pulls.items()
        if is_group(branch)
        and any(pull.state == "open" and keys.keys() & set(members_of(pull)) for pull in listed)
    ]
