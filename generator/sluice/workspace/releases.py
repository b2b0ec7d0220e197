"""A release by the name that a person gives it."""

from sluice.core.finding import FindingsError, UsageError
from sluice.core.names import nearest, some
from sluice.core.pipeline import Specs
from sluice.core.specs.resolve import Release


def find_release(specs: Specs, name: str) -> Release:
    """A release by its name, by `environment/name` or by `environment/team/name`.

    Raises:
        UsageError: when none or more than one fits.
        FindingsError: when it is there but cannot be read.
    """
    wanted = name.strip("/").split("/")
    found = [
        release
        for key, release in specs.releases.items()
        if tuple(wanted) in (key, (key.environment, key.name), (key.name,))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(str(release.key) for release in found)
        raise UsageError(f"{name} is any of {listed}; name one of them")
    if specs.findings:
        raise FindingsError(specs.findings)
    known = [str(key) for key in specs.releases]
    close = nearest(wanted[-1], [key.name for key in specs.releases])
    hint = f"did you mean {close}?" if close else f"known: {some(known)}"
    raise UsageError(f"there is no release {name}; {hint}")
