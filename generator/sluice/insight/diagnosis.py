"""One thing that the doctor looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What it is, whether it is in order, what was found, and how to mend it."""

    what: str
    ok: bool
    said: str
    remedy: str = ""
