"""What processes may do, where two settings contradict each other."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, one_of
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    texts,
)
from sluice.core.kubernetes.rules.shape import Fields, each, leaf, node

_IDS = between(0, 2**31 - 1)
_KINDS = ("RuntimeDefault", "Unconfined", "Localhost")


def _check_profile(profile: dict[str, Any], _: Context) -> Faults:
    if not profile.get("type"):
        yield Fault("SEM047", (), "type is missing")
    local = profile.get("type") == "Localhost"
    if local is not bool(profile.get("localhostProfile")):
        message = "localhostProfile is missing" if local else "localhostProfile is set in vain"
        yield Fault("SEM047", (), message)


def _check_escalation(security: dict[str, Any], _: Context) -> Faults:
    if security.get("allowPrivilegeEscalation") is not False:
        return
    added = [name for _, name in texts(mapping(security, "capabilities"), "add")]
    if security.get("privileged") is True or "CAP_SYS_ADMIN" in added:
        message = "allowPrivilegeEscalation is false for a container that is privileged"
        yield Fault("SEM045", ("allowPrivilegeEscalation",), message)


_PROFILE = node({"type": leaf("SEM047", one_of(*_KINDS, empty=False))}, _check_profile)
_COMMON: Fields = {
    "runAsUser": leaf("SEM046", _IDS),
    "runAsGroup": leaf("SEM046", _IDS),
    "seccompProfile": _PROFILE,
    "appArmorProfile": _PROFILE,
}
OF_CONTAINER = node(_COMMON, _check_escalation)
OF_POD = node(
    {
        **_COMMON,
        "fsGroup": leaf("SEM046", _IDS),
        "supplementalGroups": each(leaf("SEM046", _IDS)),
    }
)


def check_root(pod: dict[str, Any], _: Context) -> Faults:
    """Containers that must not run as root, and are told to."""
    whole = mapping(pod, "securityContext")
    for key in ("containers", "initContainers"):
        for index, container in mappings(pod, key):
            settings = {**whole, **mapping(container, "securityContext")}
            user = settings.get("runAsUser")
            if settings.get("runAsNonRoot") is True and user == 0 and user is not False:
                message = "runAsNonRoot is true and runAsUser is 0"
                yield Fault("SEM044", (key, index), message)
