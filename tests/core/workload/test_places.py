"""Whose weights a source leads to, by parts of its address and never by its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.workload.places import is_inward, is_listed, place_of
from sluice.core.workload.sources import SourceError, parse

PIN = "a" * 40
DIGEST = "sha256:" + "0" * 64
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        (f"hf://acme/chat@{PIN}", "hf://acme/"),
        (f"hf://acme/chat@{PIN}", "hf://acme"),
        (f"hf://acme/chat@{PIN}", "hf://acme/chat"),
        (f"hf://acme/chat@{PIN}", "hf://"),
        ("s3://models/chat/7", "s3://models/chat/"),
        ("pvc://claim", "pvc://claim/"),
        ("models:/chat/7", "models:/chat"),
        ("mlflow-artifacts:/4/m", "mlflow-artifacts:/"),
        (f"oci://Registry.Example.com/acme/chat@{DIGEST}/sub", "oci://registry.example.com/acme"),
    ],
)
def test_what_lies_within_a_place(source: str, listed: str) -> None:
    assert is_listed(source, [listed])


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        (f"hf://acme-evil/chat@{PIN}", "hf://acme"),
        (f"hf://acme/../evil/chat@{PIN}", "hf://acme"),
        (f"hf://acme/%2e%2e/evil@{PIN}", "hf://acme"),
        (f"hf://acme/chat-evil@{PIN}", "hf://acme/chat"),
        (f"hf://Acme/chat@{PIN}", "hf://acme"),
        (f"hf://acme@evil/chat@{PIN}", "hf://acme"),
        ("hf://\u0430cme/chat", "hf://acme"),
        ("s3://models//chat/7", "s3://models"),
        ("s3://models/chat/../other", "s3://models/chat"),
        ("s3://models\\evil/x", "s3://models"),
        ("s3://user@models/x", "s3://models"),
        ("s3:/models/x", "s3://models"),
        ("gs://models/x", "s3://models"),
        ("models:/chat-evil/7", "models:/chat"),
        ("mlflow-artifacts://evil/4/m", "mlflow-artifacts:/"),
        ("mlflow-artifacts://evil@good/4/m", "mlflow-artifacts:/"),
        (f"oci://registry.example.com.evil/acme/x@{DIGEST}", "oci://registry.example.com"),
        (f"oci://registry.example.com:5000/x@{DIGEST}", "oci://registry.example.com"),
        ("", "hf://"),
    ],
)
def test_what_only_looks_as_if_it_did(source: str, listed: str) -> None:
    assert not is_listed(source, [listed])


@given(NAMES, NAMES, NAMES)
def test_a_longer_name_is_never_within_a_shorter_one(scheme: str, name: str, more: str) -> None:
    assert not is_listed(f"{scheme}://{name}{more}/x", [f"{scheme}://{name}"])
    assert is_listed(f"{scheme}://{name}/{more}", [f"{scheme}://{name}"])


@pytest.mark.parametrize(
    ("source", "owner"),
    [
        (f"hf://acme/chat@{PIN}", "hf://acme"),
        ("s3://models/chat/7", "s3://models"),
        ("models:/chat/7", "models:/chat"),
        ("mlflow-artifacts:/4/m/artifacts", "mlflow-artifacts:/4"),
        ("mlflow-artifacts://Host:5000/4/m", "mlflow-artifacts://host:5000/4"),
        (f"oci://registry.example.com/acme/chat@{DIGEST}", "oci://registry.example.com/acme"),
        (f"oci://registry.example.com/chat@{DIGEST}", "oci://registry.example.com"),
    ],
)
def test_who_decides_about_a_place(source: str, owner: str) -> None:
    assert place_of(source).owner == owner


@pytest.mark.parametrize(
    "source", ["", "chat", "file:/x", "s3://a b/c", "s3://a/\u0000", "hf://a?b"]
)
def test_what_is_ambiguous_is_no_place(source: str) -> None:
    with pytest.raises(SourceError):
        place_of(source)


@pytest.mark.parametrize(
    "host",
    [
        *[
            "127.0.0.1",
            "10.0.0.1:5000",
            "169.254.169.254",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
        ],
        *["127.1", "[::1]:5000", "[::ffff:10.0.0.1]", "[fe80::1%eth0]", "localhost", "LOCALHOST."],
        *["x.localhost:80", "metadata.google.internal", "8.8.8.8"],
    ],
)
def test_a_machine_within_in_every_spelling(host: str) -> None:
    assert is_inward(host)


@pytest.mark.parametrize("host", ["registry.example.com", "ghcr.io:443", "10.example.com", "x1"])
def test_a_public_name(host: str) -> None:
    assert not is_inward(host)


@pytest.mark.parametrize(
    "source", ["mlflow-artifacts://evil.example.com/4/m", "mlflow-artifacts:///4/m"]
)
def test_who_fetches_is_never_told_of_another_server(source: str) -> None:
    assert parse(source).uri == "mlflow-artifacts:/4/m"


@pytest.mark.parametrize("source", ["mlflow-artifacts://evil", "mlflow-artifacts://u:p@evil/4/m"])
def test_a_server_alone_or_with_a_user_is_no_source(source: str) -> None:
    with pytest.raises(SourceError):
        parse(source)
