"""Whether the credentials may do what the reconciler does, found out without doing any of it.

A forge looks at rights before it looks at what a call is about. So calls are made about what does
not exist, a branch, a request of a number that is never reached, a commit of zeros: who has the
right is told that there is nothing, and who has not is told that.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from sluice.core.forge import Right
from sluice.forges.answers import RefusedError, Site

NOBODY = 2_147_483_647  # the number of no pull request
NO_COMMIT = "0" * 40
_NO = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.LOCKED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a forge says of the repository and of our account in it.

    `name` is how it is called now; `scopes` are those of the token, None when that is not told.
    """

    name: str
    archived: bool
    writes: bool
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that finds nothing: what for, and the scope that it takes."""

    purpose: str
    scope: str
    method: str
    path: str
    body: Mapping[str, object] | None = None


def make_no_branch() -> str:
    """Make up the name of a branch that there is not."""
    return f"sluice/doctor-{secrets.token_hex(8)}"


def check_rights(
    site: Site,
    path: str,
    standing: Standing,
    trials: Collection[Trial],
    act: Callable[[Trial], object],
) -> Iterator[Right]:
    """Yield what is there and what is missing.

    Args:
        site: the forge.
        path: the name by which the repository was given.
        standing: what the forge says.
        trials: what to try.
        act: makes the call.
    """
    if standing.name and standing.name.casefold() != path.casefold():
        new = site.repository.replace(path, standing.name, 1)
        problem = f"the repository is called {standing.name} now, not {path}"
        yield Right(ok=False, said=problem, remedy=f"set SLUICE_FORGE or --forge to {new}")
        return  # not every call finds its way from there
    if standing.archived:
        remedy = f"unarchive {site.repository}, or give the address of the one that is in use"
        problem = "the repository is archived: nothing can be written"
        yield Right(ok=False, said=problem, remedy=remedy)
        return
    if not standing.writes:
        problem = "the account may read the repository, but not write to it"
        yield Right(
            ok=False, said=problem, remedy=f"give it a role that may; it takes {site.needs}"
        )
        return
    for trial in trials:
        if standing.scopes is not None and trial.scope in standing.scopes:
            yield Right(ok=True, said=trial.purpose)
        else:
            yield _try(site, trial, act)


def _try(site: Site, trial: Trial, act: Callable[[Trial], object]) -> Right:
    try:
        act(trial)
    except RefusedError as error:
        if error.status in _NO:
            problem = f"{site.credential} may not {trial.purpose}"
            if error.reason:
                problem += f": {error.reason}"
            remedy = f"give it {trial.scope}; in all it takes {site.needs}"
            return Right(ok=False, said=problem, remedy=remedy)
    return Right(ok=True, said=trial.purpose)
