"""Secrets that somebody wrote where a reference belongs: found by their names, and not repeated."""

import base64
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from re import _constants, _parser  # type: ignore[attr-defined]  # how `re` understands a pattern
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import confidential, logins
from sluice.core.confidential import (
    HIDDEN,
    is_secret,
    leaks,
    quotable,
    redacted,
    redacted_data,
    redacted_value,
)
from sluice.core.reports.report import FORMATS, report
from support import trees

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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hf_token", "x"),
        ("TOKEN_2", "x"),
        ("PGPASSWORD", "12345678"),
        ("db.pass", "hunter2"),
        ("client_secret", "x"),
        ("secret_key_base", "x"),
        ("connectionString", "Server=x"),
        ("dsn", "https://abc@errors.example.com/1"),
        ("Authorization", "Basic dTpw"),
        ("Set-Cookie", "a=b"),
        ("x-api-key", "x"),
        ("storage_account_key", "x"),
        ("signature", "MEUCIQDx83kd9KQm27fjKq0ZzPq"),
        ("wandb_key", "0123abcd4567efgh8901XYZ"),
        ("password_value", "x"),
    ],
)
def test_a_value_is_hidden_whose_name_says_that_it_is_secret(name: str, value: str) -> None:
    assert redacted_value(name, value) == HIDDEN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens_per_second", "91.5"),
        ("max_tokens", "512"),
        ("tokenizer", "bpe"),
        ("eos_token", "</s>"),
        ("cost_per_token", "0.0003"),
        ("use_auth_token", "True"),
        ("api_key", "${API_KEY}"),
        ("primary_key", "customer_id"),
        ("cache_key", "3fddb86c90ab4e5fa1b2c3d4e5f60718"),
        ("key", "9ef57b6c1b3d5a7e9f0b2d4c6e8a0f1b3d5c7e9a"),
        ("digest", f"sha256:{'ab' * 32}"),
        ("signature", f"sha256:{'ab' * 32}"),
        ("run_id", "3fddb86c90ab4e5fa1b2c3d4e5f60718"),
        ("model_signature", '{"inputs": [{"type": "string"}]}'),
        ("source", "hf://org/model@3fddb86c90ab4e5fa1b2c3d4e5f607180a1b2c3d"),
        ("source", "oci://registry:5000/models/chat@sha256:" + "ab" * 32),
        ("source", "s3://bucket/a@b"),
        ("repository", "ssh://git@git.example.com/ml/models.git"),
        ("library", "sk-learn-contrib-of-many-people"),
        ("model", "hf_tokenizer_of_a_long_name"),
    ],
)
def test_what_is_no_secret_stays_as_it_is(name: str, value: str) -> None:
    assert redacted_value(name, value) == value
    assert redacted_value("tag", f"{name}={value}") == f"{name}={value}"


@pytest.mark.parametrize(
    "text",
    [
        "postgres://u:{}@h/db",
        "postgres://u:p@{}@h/db",
        "postgres://u:p/{}@h/db",
        "kafka://a:b@h1,kafka://a:{}@h2",
        "https://{}@github.com/acme/models",
        "http://h/?X-Amz-Date=1&X-Amz-Signature={}",
        "http://h/x?sv=2020&sig={}&se=2",
        "http://h/x?a=b&amp;access_token={}",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}1234567890",
        "AccountName=x;AccountKey={};EndpointSuffix=y",
        "host=db password='a {}' user=x",
        '{{"password": "{}"}}',
        '{{"env": "{{\\"password\\": \\"{}\\"}}"}}',
        "serve --api-key={} --port=1",
        'ARGS="--token={} --port=1"',
        '{{"password": "a\\"b{}"}}',
        '{{"a": "{{\\"b\\": \\"{{\\\\\\"password\\\\\\": \\\\\\"{}\\\\\\"}}\\"}}"}}',
        "password  =\t{}",
        ":password => '{}'",
        "<password>{}</password>",
        "https://h/?next=%3Ftoken%3D{}",
        "https://h/?next=%253Ftoken%253D{}",
        "postgres%3A%2F%2Fu%3A{}%40h",
    ],
)
def test_a_secret_is_known_by_its_form(text: str) -> None:
    said = redacted(text.format("s3cr3t"))
    assert "s3cr3t" not in said
    assert HIDDEN in said
    assert redacted(said) == said


@pytest.mark.parametrize(
    "secret",
    [
        f"hf_{'aB3' * 11}",
        f"ghp_{'aB3' * 12}",
        f"github_pat_{'aB3' * 12}",
        f"glpat-{'aB3' * 7}",
        "AKIAIOSFODNN7EXAMPLE",
        f"AIza{'aB3-_' * 7}",
        "xoxb-123456789012-abcdef",
        f"sk-proj-{'aB3' * 10}",
        f"Bearer {'aB3.' * 8}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    ],
)
def test_a_token_of_a_service_is_known_wherever_it_stands(secret: str) -> None:
    for text in (secret, f"it said: {secret}, and more", f'{{"x": "{secret}"}}', f"a/{secret}/b"):
        assert secret.removeprefix("Bearer ") not in redacted(text)


RANDOM = "Tr0ub4dor3xQ9zK7mVp2"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "token: {}",
            "clientSecret: {}",
            "X-Api-Key: {}",
            "it said password:{}!",
            "password: |\n  {}\n",
        ),
        *("serve --password {} --port 1", "machine h login u password {}", "the password is {}"),
        *("https://hooks.slack.com/services/T0/B0/{}", "GOCSPX-{}", "sk-ant-api03-{}", "glrt-{}"),
    ],
)
def test_what_looks_random_is_a_secret_after_words_that_prose_has_too(text: str) -> None:
    assert RANDOM not in redacted(text.format(RANDOM))


@pytest.mark.parametrize(
    "text", ["password=Tr0ub4dor3", f"hf_{'aB3' * 11}", "amqp://user:pw@host/x"]
)
def test_a_secret_is_found_in_base64(text: str) -> None:
    for written in (base64.b64encode(text.encode()), base64.urlsafe_b64encode(text.encode())):
        assert redacted(f"data: {written.decode()}") == f"data: {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        *("token: cl100k_base", "the password is wrong", "--token TEXT", "secret: none"),
        *("credentialsSecret: my-team-hf-token-2024", "tokenSecret: hftokenofproduction2024"),
        *("secret: hub-token-v2-production-1", "token: gpt2-tokenizer-v1.2-of-2024"),
        *("train_tokens=15T", "https://<user>:<token>@host", "token: m-0123", "a%20b%2Fc"),
        *(
            "the token is sent to https://h/a1b2c3d4e5f6g7h8",
            base64.b64encode(b"no secret").decode(),
        ),
        *("tokenizer: meta-llama/Llama-3.1-8B-Instruct", "sk-learn-contrib-of-2-people"),
    ],
)
def test_words_that_prose_has_too_hide_nothing_else(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("user:{}@host", "ssh alice:{}@git.example.com:22", "root:{}@10.0.0.1", "x (bob:{}@h.de)"),
        *("curl -u alice:{} https://h/", "curl -sS -u alice:{} -u bob:{} h", "wget --user=a:{} h"),
        *('curl --proxy-user "a:{}" h', "password: |\n  {}\n", "  apiKey: >-\n    {}\n    {}\n"),
    ],
)
def test_a_login_and_a_block_are_hidden(text: str) -> None:
    said = redacted(text.replace("{}", "s3cr3tOfMany9"))
    assert "s3cr3t" not in said
    assert redacted(said) == said


@pytest.mark.parametrize(
    "text", ["password: 12345678", "--password 4711", "DB_PASSWORD: '0815'", "password=4711"]
)
def test_a_password_may_be_a_number(text: str) -> None:
    assert not re.search("[0-9]{2}", redacted(text))


def test_all_lines_of_a_block_are_hidden_and_no_other() -> None:
    block = "a: 1\napiKey: |\n  s3cr3tAAA111bbb222\n  and more\nb: 2\n"
    assert redacted(block) == f"a: 1\napiKey: |\n  {HIDDEN}\nb: 2\n"


WORDS = st.from_regex(r"[a-z]{1,12}", fullmatch=True)
SENTENCES = [
    *(
        "https://{}@{}/x",
        "https://{}.{}@example.com/",
        "http://h/?key={}&code={}",
        "mailto:{}@{}.de",
    ),
    *(
        "{} <{}@example.com>",
        "docker run -u 1000:1000 {} {}",
        "chown {}:{} /x",
        "-u {}:{} in a pod",
    ),
    *("by {}:{}@example.com", "registry:5000/{}@sha256:0123 {}", "{}: |\n  {}\n  more\n"),
    *(
        "the password is {} {}",
        "at 10:30@{} or {}",
        "git@github.com:{}/{}.git",
        "{}:v1.2@sha512:9 {}",
    ),
]


@given(st.sampled_from(SENTENCES), WORDS, WORDS)
def test_ordinary_text_stays_as_it_is(sentence: str, one: str, other: str) -> None:
    text = sentence.format(one, other)
    if not is_secret(one) and one not in logins._ACCOUNTS:
        assert redacted(text) == text


def test_a_pair_of_name_and_value_is_redacted_by_the_name() -> None:
    data = [{"name": "HF_TOKEN", "value": "a"}, {"key": "lr", "value": "1"}]
    assert redacted_data(data) == [{"name": "HF_TOKEN", "value": HIDDEN}, data[1]]


def test_data_is_redacted_by_the_name_that_is_nearest() -> None:
    data = {
        "parameters": {"token": "a", "lr": "1"},
        "keys": {"api_keys": ["b", "c"]},
        "n": [1, None],
    }
    assert redacted_data(data) == {
        "parameters": {"token": HIDDEN, "lr": "1"},
        "keys": {"api_keys": [HIDDEN, HIDDEN]},
        "n": [1, None],
    }


PIECES = st.sampled_from(
    [
        *("://", "@", "a:", ":8080/", "?sig=", "&", "token=", '"password": "', "'", '"', " ", "\n"),
        *("-----BEGIN PRIVATE KEY-----", "-----END", "hf_", "aB3" * 9, ".", "\\", "bearer ", "eyJ"),
        *(HIDDEN, "é"),
    ]
)


AROUND = st.lists(PIECES, max_size=15).map("".join)
SECRET_PARTS = [
    "token=s3cr3t",
    '"password": "s3cr3t"',
    "amqp://u:s3cr3t@h",
    "x://h/?sig=s3cr3t",
    "sig=pw=s3cr3t",
]


@given(AROUND, st.sampled_from(SECRET_PARTS), AROUND)
def test_a_secret_is_found_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    text = f"{before} {secret} {after}"
    assert "s3cr3t" not in redacted(text)
    found = leaks(text)
    assert all(leak.start < leak.end for leak in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def repeats(parsed: Any) -> Iterator[str]:  # noqa: ANN401  # of `re`
    """Every repetition without an end that can give back what it has read, or holds another."""
    for operation, argument in parsed:
        name = str(operation)
        parts = argument if isinstance(argument, tuple | list) else ()
        endless = name.endswith("REPEAT") and argument[1] is _constants.MAXREPEAT
        if endless and not name.startswith("POSSESSIVE"):
            yield name
        nested = (part for part in parts if type(part).__name__ == "SubPattern")
        branches = argument[1] if name == "BRANCH" else nested
        for part in branches:
            yield from repeats(part)


def patterns() -> dict[str, re.Pattern[str]]:
    named = [*vars(confidential).items(), *((f"logins.{n}", p) for n, p in vars(logins).items())]
    return {n: p for n, p in named if isinstance(p, re.Pattern)}


@pytest.mark.parametrize("name", patterns())
def test_no_pattern_reads_anything_twice(name: str) -> None:
    """The work grows with the text: a repetition never gives back, and each match has one place."""
    assert list(repeats(_parser.parse(patterns()[name].pattern))) == []


HOSTILE = [
    *(
        "a",
        "://",
        "://a:",
        "@",
        "a=",
        "a='b=\"",
        "?a",
        "token ",
        "eyJ",
        "-----BEGIN ",
        "sk-",
        " = ",
        "a:b@c.d ",
        "curl -u a:b ",
        "password: |\n  abcdef12",
        "password: |\n  abcdef12\n  ",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        '"a": ',
        "\\",
        "://a@",
        "bearer aaaa",
        "é",
        "hf_",
        "A",
        "a.b-",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_steps_of_redacting_grow_with_the_text_and_no_faster(piece: str) -> None:
    def steps(times: int) -> int:
        text, counted = piece * times, 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            redacted(text)
        finally:
            sys.setprofile(None)
        return counted

    steps(1)
    assert steps(2000) <= 2.1 * steps(1000) + 100
