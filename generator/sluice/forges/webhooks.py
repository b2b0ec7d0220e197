"""Whether a delivery comes from the forge that knows our secret. It only wakes us, but still.

What a delivery says is never used: whoever is woken reads the state anew.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from sluice.forges.kinds import ForgeKind, kind_of

WINDOW = 300  # seconds that a signed delivery may be old, or early
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whether to believe it, why not, and its id, by which a second one is known.

    `is_news` is false for one that tells us only what we did.
    """

    accepted: bool
    reason: str = ""
    id: str = ""
    is_news: bool = True


def verify(kind: str, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Delivery:
    """Check a delivery against the secret, on the bytes as they came.

    A forge that sends a plain token signs when its secret begins with `whsec_`; only what is
    signed with a time is safe from being played again.

    Args:
        kind: the name of the forge's kind.
        headers: of the delivery.
        body: as it came.
        secret: that both know.
        now: seconds since the epoch.

    Raises:
        UsageError: there is no such kind.
    """
    sender = kind_of(kind)
    given = {name.lower(): value for name, value in headers.items()}
    name = _identity(sender, given, body, secret)
    if not secret:
        return Delivery(accepted=False, reason="no secret is configured", id=name)
    if sender.signatures:
        reason = _check_digest(sender, given, body, secret)
    else:
        reason = _check_token(sender, given, body, secret, now)
    return Delivery(not reason, reason, name)


def _identity(sender: ForgeKind, headers: Mapping[str, str], body: bytes, secret: str) -> str:
    """By what a second delivery of the same is known: only what is signed, which nobody can change.

    Most forges sign the body and nothing else, so that their own ids can be made up.
    """
    if sender.token and secret.startswith("whsec_"):
        return headers.get("webhook-id", "")
    return sha256(body).hexdigest()


def _check_digest(sender: ForgeKind, headers: Mapping[str, str], body: bytes, secret: str) -> str:
    signature = next((headers[key] for key in sender.signatures if headers.get(key)), None)
    if signature is None:
        return "the delivery is not signed"
    expected = hmac.new(secret.encode(), body, sha256).hexdigest()
    return (
        "" if _is_equal(signature.removeprefix("sha256="), expected) else "the signature is wrong"
    )


def _check_token(
    sender: ForgeKind, headers: Mapping[str, str], body: bytes, secret: str, now: float
) -> str:
    if secret.startswith("whsec_"):
        return _check_standard(headers, body, secret, now)
    token = headers.get(sender.token)
    if token is None:
        return "the delivery has no token"
    if not _is_equal(token, secret):
        return "the token is wrong"
    return ""


def _check_standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """Check what the Standard Webhooks specification defines."""
    name, time = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split()
    if not (name and time and signatures):
        return "the delivery is not signed"
    # Other digits than ASCII's, or very many of them, are no time that a forge sends.
    is_number = time.isascii() and time.isdigit() and len(time) <= _DIGITS
    if not is_number or abs(now - int(time)) > WINDOW:
        return "the delivery is too old, or the clocks differ"
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return "the configured secret is not base64 after whsec_"
    if not key:
        return "the configured secret has nothing after whsec_"
    signed = b".".join((name.encode(), time.encode(), body))
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    # All are compared, so that the time tells nothing.
    right = [_is_equal(signature, expected) for signature in signatures]
    return "" if any(right) else "the signature is wrong"


def _is_equal(actual: str, expected: str) -> bool:
    # In a time that does not depend on how much of it is right.
    return hmac.compare_digest(actual.encode("utf-8", "replace"), expected.encode())
