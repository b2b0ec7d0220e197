"""The branches that Sluice works on: main, and one for each living pull request."""

from sluice.core.layout import Key

BASE = "main"
"""The branch that says what is deployed."""

BRANCHES = "sluice"
"""What the names of our branches begin with."""

# No release and no team can have this name, so it is free beside theirs.
LAST = "_all"
# No name of a release has a dot, so these are free beside it.
SUFFIX = ".rollout"
_BACK = ".rollback"


def branch_of(key: Key) -> str:
    """The branch of a release's living pull request; the version is in its content."""
    return f"{BRANCHES}/{key}"


def branch_at(*place: str) -> str:
    """The branch that all releases of an environment share, or of a team in it."""
    return "/".join((BRANCHES, *place, LAST))


def branches_at(key: Key) -> tuple[str, str]:
    """Every branch that a release may share with others."""
    return branch_at(key.environment, key.team), branch_at(key.environment)


def is_group(branch: str) -> bool:
    """Whether a branch is one that releases share."""
    return branch.startswith(f"{BRANCHES}/") and branch.endswith(f"/{LAST}")


def branch_for(key: Key) -> str:
    """The branch of the living pull request of a release's rollout."""
    return f"{branch_of(key)}{SUFFIX}"


def branch_back(key: Key) -> str:
    """The branch of a way back to an earlier version, where main takes no push."""
    return f"{branch_of(key)}{_BACK}"


def ref_of(branch: str) -> str:
    """The full name of a branch."""
    return f"refs/heads/{branch}"
