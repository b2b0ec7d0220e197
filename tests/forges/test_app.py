"""A GitHub App: signed claims for a token of an hour."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sluice.core.finding import UsageError
from support.forge_fake import Reply, Seen
from support.forge_github import token_of
from support.forge_harness import FakeHarness, connected, faked

ID, KEY, INSTALLATION = (
    f"SLUICE_GITHUB_APP_{each}" for each in ("ID", "PRIVATE_KEY_FILE", "INSTALLATION_ID")
)


@dataclass
class App:
    at: FakeHarness
    environ: dict[str, str]
    public: rsa.RSAPublicKey
    issued: int = 0

    def answer(self, seen: Seen) -> Reply | None:
        """Give out a token for right claims, as the server does."""
        if "/app" not in seen.path:
            return None
        given = seen.headers["authorization"].removeprefix("Bearer ")
        # By the clock of the test, not by that of the machine.
        claims = jwt.decode(
            given, self.public, ["RS256"], options={"verify_exp": False, "verify_iat": False}
        )
        now = self.at.time.now
        right = claims["iat"] <= now < claims["exp"] <= now + 600 and claims["iss"] == "12"
        if not right:
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        if seen.method == "GET":
            return Reply(data={"id": 12, "slug": "sluice"})
        assert seen.path.endswith("/app/installations/34/access_tokens")
        assert seen.body["repositories"] == ["models"]
        self.issued += 1
        self.at.fake.token = f"ghs_secret{self.issued:020}"
        return token_of(self.at.fake.token, now)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture
def app(tmp_path: Path, key: rsa.RSAPrivateKey) -> Iterator[App]:
    path = tmp_path / "key.pem"
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    with faked("github", tmp_path) as at:
        environ = {ID: "12", KEY: str(path), INSTALLATION: "34"}
        at.forge = connected("github", at.fake, at.time, environ)
        app = App(at, environ, key.public_key())
        at.fake.app = app.answer
        yield app


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
