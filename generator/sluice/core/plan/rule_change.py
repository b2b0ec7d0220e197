"""One rule that a change touches, as a plan tells of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that changes.

    `loosens` says that more may pass than before, or that nobody can tell; `owners` are those whom
    CODEOWNERS names for the file.
    """

    path: str
    rule: str
    before: object
    after: object
    loosens: bool
    owners: tuple[str, ...] = ()
