"""Whether a delivery comes from the MLflow server that knows our secret. It only wakes us.

What a delivery says is never used, so events of any kind are fine: whoever is woken looks anew.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

WINDOW = 300  # seconds that a delivery may be old, or early; its retries take less
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whether to believe it, why not, and its id, by which a second one is known."""

    accepted: bool
    reason: str = ""
    id: str = ""
    is_news: bool = True


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Delivery:
    """Check a delivery against the secret, on the bytes as they came.

    Args:
        headers: of the delivery.
        body: as it came.
        secret: the one that we share.
        now: seconds since the epoch.
    """
    fields = {delivery.lower(): value for delivery, value in headers.items()}
    delivery = fields.get("x-mlflow-delivery-id", "")
    time = fields.get("x-mlflow-timestamp", "")
    signatures = fields.get("x-mlflow-signature", "").split(",", 1)
    reason = ""
    if not secret:
        reason = "no secret is configured"
    elif not (delivery and time) or signatures[0] != "v1":
        reason = "the delivery is not signed"
    elif not _is_near(time, now):
        reason = "the delivery is too old, or the clocks differ"
    elif not hmac.compare_digest(
        signatures[-1].encode(), _compute_signature(delivery, time, body, secret)
    ):
        reason = "the signature is wrong"
    return Delivery(not reason, reason, delivery)


def _is_near(time: str, now: float) -> bool:
    # Other digits than ASCII's, or very many of them, are no time that a server sends.
    if not time.isascii() or not time.isdigit() or len(time) > _DIGITS:
        return False
    return abs(now - int(time)) <= WINDOW


def _compute_signature(name: str, time: str, body: bytes, secret: str) -> bytes:
    signed = b".".join((name.encode(), time.encode(), body))
    return base64.b64encode(hmac.new(secret.encode(), signed, sha256).digest())
