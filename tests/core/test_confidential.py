"""Secrets that somebody wrote where a reference belongs: found by their names, and not repeated."""

import pytest
import yaml

from core import trees
from sluice.core.confidential import is_secret, quotable, redacted
from sluice.core.reports.report import FORMATS, report

SECRETS = [
    ("serving: {apiKeySecret: s3cr3t}", "spec.serving.apiKeySecret"),
    ("weights: {tokenSecret: s3cr3t}", "spec.weights.tokenSecret"),
    ("weights: {tokenSecret: {name: hub, token: s3cr3t}}", "token"),
    ("weights: {credentialsSecret: AKIA/s3cr3t}", "spec.weights.credentialsSecret"),
    ("weights: {endpoint: https://user:s3cr3t@minio}", "spec.weights.endpoint"),
    ("engine: {args: {api-key: s3cr3t}}", "--api-key"),
    ("engine: {args: {otlp-traces-endpoint: http://user:s3cr3t@traces}}", "--otlp-traces-endpoint"),
    ("serving: {apiKey: s3cr3t}", "apiKey"),
    ('serving: {"apiKey": "s3cr3t, and more"}', "apiKey"),
    ("model: {source: s3://key:s3cr3t@bucket/chat/7}", "cannot be served"),
]


@pytest.mark.parametrize(("written", "named"), SECRETS)
@pytest.mark.parametrize("form", FORMATS)
def test_no_report_repeats_a_secret(written: str, named: str, form: str) -> None:
    files = trees.base()
    release = yaml.safe_load(files[trees.RELEASE])
    ((group, value),) = yaml.safe_load(written).items()
    release["spec"][group] = {**release["spec"].get(group, {}), **value}
    files[trees.RELEASE] = yaml.safe_dump(release).encode()
    findings, _ = trees.outcome(files)
    said = report(findings, form, files)
    assert named in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("apiKeySecret", True),
        ("api_key", True),
        ("hf-token", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("password", True),
        ("tokenizer", False),
        ("max-num-batched-tokens", False),
        ("key", False),
        ("monkey", False),
        ("keyspace", False),
        ("", False),
    ],
)
def test_what_holds_a_secret_is_known_by_its_name(name: str, secret: bool) -> None:  # noqa: FBT001  # a table
    assert is_secret(name) is secret


def test_a_line_is_quoted_without_what_is_secret_in_it() -> None:
    assert (
        quotable("  apiKeySecret: {name: keys, key: chat}")
        == "  apiKeySecret: {name: keys, key: chat}"
    )
    assert quotable("a: {token: 'x, y', top: 1}") == "a: {token: …, top: 1}"
    assert quotable("url: https://u:p@host/x") == "url: https://…@host/x"
    assert redacted("s3://bucket/a@b") == "s3://bucket/a@b"
