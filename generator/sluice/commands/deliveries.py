"""Which webhooks the daemon believes: those for which the environment has a secret."""

import time
from collections.abc import Callable, Mapping

from sluice.commands.listener import Delivery, Verifier
from sluice.forges import webhooks
from sluice.registries import verify_delivery

REGISTRY_SECRET = "SLUICE_REGISTRY_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
FORGE_SECRET = "SLUICE_FORGE_WEBHOOK_SECRET"  # noqa: S105  # as above


def verifiers(
    kind: webhooks.Kind | None,
    environ: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> dict[str, Verifier]:
    """Return source → how its deliveries are verified; `kind` is that of the forge."""
    known: dict[str, Verifier] = {}
    secret = environ.get(REGISTRY_SECRET, "")
    if secret:
        known["registry"] = lambda headers, body: verify_delivery(headers, body, secret, clock())
    theirs = environ.get(FORGE_SECRET, "")
    if theirs and kind:
        known["forge"] = _of_forge(kind, theirs, clock)
    return known


def _of_forge(kind: webhooks.Kind, secret: str, clock: Callable[[], float]) -> Verifier:
    def verify(headers: Mapping[str, str], body: bytes) -> Delivery:
        return webhooks.verify(kind, headers, body, secret, clock())

    return verify
