"""What kind of failure an error is, in the few words that a metric can have."""

from sluice.core.finding import UsageError


def cause_of(error: UsageError, otherwise: str = "other") -> str:
    """Name the kind of a failure: what the error itself knows of it, or what the caller does."""
    return str(getattr(error, "cause", "")) or otherwise
