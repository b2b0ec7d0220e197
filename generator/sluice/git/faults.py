"""What the system or a damaged repository refuses, as one line that names the repository."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import pygit2
from pygit2 import Repository

from sluice.core.finding import UsageError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_OBJECT = re.compile(r"[0-9a-f]{40}")
_REMEDY = "run git fsck there, or fetch all of it"


@contextmanager
def explain_failures(repo: Repository) -> Iterator[None]:
    """Turn what goes wrong in a repository into an error that says where.

    Raises:
        UsageError: for a full or read-only disk, what may not be read, and objects that lack.
    """
    try:
        yield
    except KeyError as error:
        missing = _OBJECT.search(str(error))
        if missing is None:  # some other mapping of ours: a defect
            raise
        message = f"object {missing[0]} is missing; {_REMEDY}"
        raise UsageError(f"{repo.path}: {message}") from error
    except OSError as error:
        place = error.filename or repo.path
        raise UsageError(f"{place}: {error.strerror or error}") from error
    except pygit2.GitError as error:
        message = f"{repo.path}: {error}"
        if _OBJECT.search(str(error)):
            message += f"; {_REMEDY}"
        raise UsageError(message) from error


def explains_faults(
    function: Callable[Concatenate[Repository, _Parameters], _Result],
) -> Callable[Concatenate[Repository, _Parameters], _Result]:
    """Let a function on a repository raise UsageError for what `explain_failures` knows."""

    @wraps(function)
    def run(repo: Repository, /, *args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        with explain_failures(repo):
            return function(repo, *args, **options)

    return run
