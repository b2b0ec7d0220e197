"""An App of a forge: its key, and a server that gives it tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

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
