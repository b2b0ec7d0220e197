"""Deliveries: only of who knows the secret, on the very bytes, and not played again."""

import base64
import hmac
from hashlib import sha256

import pytest

from sluice.forges.webhooks import WINDOW, verify
from support.forge_deliveries import BODY, HEX, SECRET, SIGNED

KEY = b"0123456789abcdef0123456789abcdef"
SIGNING = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_800_000_000


def _standard(body: bytes = BODY, name: str = "d1", time: int = NOW) -> dict[str, str]:
    signed = f"{name}.{time}.".encode() + body
    signature = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(time),
        "webhook-signature": f"v1,AAAA v1,{signature} v2,BBBB",
    }


@pytest.mark.parametrize(("kind", "headers"), SIGNED)
def test_the_right_one_is_accepted(kind: str, headers: dict[str, str]) -> None:
    for given in (headers, {name.upper(): value for name, value in headers.items()}):
        delivery = verify(kind, given, BODY, SECRET, NOW)
        signed = sha256(BODY).hexdigest()  # what names itself is not, and could be made up
        assert (delivery.accepted, delivery.reason, delivery.id) == (True, "", signed)


@pytest.mark.parametrize(("kind", "headers"), SIGNED)
def test_anything_else_is_not(kind: str, headers: dict[str, str]) -> None:
    (name, value), *rest = headers.items()
    wrong = [
        (headers, BODY, "another secret"),
        (headers, BODY, ""),
        (dict(rest), BODY, SECRET),
        ({name: "", **dict(rest)}, BODY, SECRET),
        ({name: f"{value[:-1]}é"}, BODY, SECRET),
        ({name: f"{value[:-1]}\udcff"}, BODY, SECRET),
        ({name: value[:-1]}, BODY, SECRET),
        ({name: value + "0"}, BODY, SECRET),
    ]
    if kind != "gitlab":
        wrong.append((headers, BODY + b" ", SECRET))
    for given, body, secret in wrong:
        delivery = verify(kind, given, body, secret, NOW)
        assert not delivery.accepted
        assert delivery.reason
        assert SECRET not in delivery.reason
        assert HEX not in delivery.reason


def test_a_signed_delivery_of_the_standard_is_accepted() -> None:
    delivery = verify("gitlab", _standard(), BODY, SIGNING, NOW)
    assert (delivery.accepted, delivery.id) == (True, "d1")


@pytest.mark.parametrize("skew", [-WINDOW, WINDOW])
def test_clocks_may_differ_a_little(skew: int) -> None:
    assert verify("gitlab", _standard(), BODY, SIGNING, NOW + skew).accepted
    late = verify("gitlab", _standard(), BODY, SIGNING, NOW + skew + (1 if skew > 0 else -1))
    assert (late.accepted, late.reason) == (
        False,
        "the delivery is too old, or the clocks differ",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "d2"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": ""},
    ],
)
def test_a_changed_delivery_of_the_standard_is_not(change: dict[str, str]) -> None:
    assert not verify("gitlab", _standard() | change, BODY, SIGNING, NOW).accepted


def test_a_changed_body_or_a_plain_token_does_not_do_where_signing_is_asked() -> None:
    assert not verify("gitlab", _standard(), BODY + b" ", SIGNING, NOW).accepted
    assert not verify("gitlab", {"X-Gitlab-Token": SIGNING}, BODY, SIGNING, NOW).accepted
    assert not verify("gitlab", _standard(), BODY, "whsec_%%%", NOW).accepted


def test_a_secret_without_a_key_lets_nobody_in() -> None:
    forged = base64.b64encode(hmac.digest(b"", f"d1.{NOW}.".encode() + BODY, "sha256")).decode()
    given = _standard() | {"webhook-signature": f"v1,{forged}"}
    delivery = verify("gitlab", given, BODY, "whsec_", NOW)
    assert (delivery.accepted, "nothing after whsec_" in delivery.reason) == (False, True)
