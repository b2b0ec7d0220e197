"""A GitHub App: signed claims for a token of an hour."""

from dataclasses import replace
from pathlib import Path

import pytest

from sluice.core.finding import UsageError
from support.forge_app import ID, INSTALLATION, KEY, App, app, key
from support.forge_fake import Reply
from support.forge_harness import connected

__all__ = ["app", "key"]


def test_one_token_serves_until_its_last_minutes(app: App) -> None:
    assert app.at.propose().number == 1
    app.at.forge.list()
    assert app.issued == 1
    app.at.time.now += 54 * 60
    app.at.forge.list()
    assert app.issued == 1
    app.at.time.now += 2 * 60
    app.at.forge.list()
    assert app.issued == 2


def test_a_token_that_was_taken_back_is_replaced_once(app: App) -> None:
    app.at.propose()
    app.at.fake.token = "ghs_another00000000000000"  # noqa: S105 - the old one is void now
    app.at.forge.list()
    assert app.issued == 2
    app.at.fake.dialect = replace(app.at.fake.dialect, authorization="Nobody")
    with pytest.raises(UsageError, match="401") as caught:
        app.at.forge.list()
    assert app.issued == 3
    assert "ghs_" not in str(caught.value)


def test_who_it_is_and_how_git_logs_in(app: App) -> None:
    assert app.at.forge.whoami() == "sluice[bot]"
    assert app.at.forge.git_login() == ("x-access-token", app.at.fake.token)


def test_a_refused_key_is_one_line_without_it(app: App) -> None:
    app.at.time.now += 10
    app.at.fake.app = lambda seen: Reply(
        401, {"message": f"cannot decode {seen.headers['authorization']}"}
    )
    with pytest.raises(UsageError, match=f"renew the App of {ID}") as caught:
        app.at.forge.list()
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize("missing", [ID, KEY, INSTALLATION])
def test_each_variable_is_needed(app: App, missing: str) -> None:
    environ = {name: value for name, value in app.environ.items() if name != missing}
    with pytest.raises(UsageError, match=f"needs {missing} as well"):
        connected("github", app.at.fake, app.at.time, environ)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (KEY, "/nowhere/key.pem", "cannot be read"),
        (INSTALLATION, "x/../y", "not a number"),
    ],
)
def test_wrong_variables_are_named(app: App, name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.*{said}"):
        connected("github", app.at.fake, app.at.time, {**app.environ, name: value})


@pytest.mark.parametrize(
    "content", [b"no key", b"", b"\xff\xfe", b"-----BEGIN RSA PRIVATE KEY-----"]
)
def test_a_file_without_a_key_is_named_and_not_shown(app: App, content: bytes) -> None:
    Path(app.environ[KEY]).write_bytes(content)
    with pytest.raises(UsageError, match=KEY) as caught:
        connected("github", app.at.fake, app.at.time, app.environ)
    assert "no key" not in str(caught.value)
