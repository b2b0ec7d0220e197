"""Which webhooks the daemon believes, those for which there is a secret, and which are news."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from sluice.forges import webhooks
from sluice.forges.echoes import IsOurs, is_echo
from sluice.reconciler.daemon.server import Delivery, Verifier
from sluice.registries import verify_delivery

REGISTRY_SECRET = "SLUICE_REGISTRY_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
FORGE_SECRET = "SLUICE_FORGE_WEBHOOK_SECRET"  # noqa: S105  # as above


def read_verifiers(
    kind: str | None,
    environ: Mapping[str, str],
    clock: Callable[[], float] = time.time,
    made: IsOurs = lambda _ref, _commit: False,
) -> dict[str, Verifier]:
    """Return source → how its deliveries are verified.

    Args:
        kind: the name of the forge's kind.
        environ: where the secrets are.
        clock: gives seconds since the epoch.
        made: whether a branch was brought to a commit by us.
    """
    known: dict[str, Verifier] = {}
    secret = environ.get(REGISTRY_SECRET, "")
    if secret:
        known["registry"] = lambda headers, body: verify_delivery(headers, body, secret, clock())
    theirs = environ.get(FORGE_SECRET, "")
    if theirs and kind:
        known["forge"] = _forge_verifier(kind, theirs, clock, made)
    return known


def _forge_verifier(kind: str, secret: str, clock: Callable[[], float], made: IsOurs) -> Verifier:
    def verify(headers: Mapping[str, str], body: bytes) -> Delivery:
        delivery = webhooks.verify(kind, headers, body, secret, clock())
        given = {name.lower(): value for name, value in headers.items()}
        is_ours = delivery.accepted and is_echo(kind, given, body, made)
        return replace(delivery, is_news=not is_ours)

    return verify
