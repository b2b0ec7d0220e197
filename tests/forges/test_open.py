"""Addresses and credentials: understood exactly, or refused by name."""

import pytest

from sluice.core.finding import UsageError
from sluice.forges import open_forge
from sluice.forges.remote import RemoteForge

TOKEN = {"SLUICE_FORGE_TOKEN": "s3cret-token"}


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("github:team/models", "https://api.github.com"),
        ("github:team/models@github.com", "https://api.github.com"),
        ("github:team/models@GitHub.com", "https://api.github.com"),
        ("github:team/models@github.com.evil.example", "https://github.com.evil.example/api/v3"),
        ("github:team/models@git.example.com", "https://git.example.com/api/v3"),
        ("github:team/models@corp.ghe.com", "https://api.corp.ghe.com"),
        ("gitlab:group/sub/models", "https://gitlab.com/api/v4"),
        ("gitlab:group/models@https://example.com/gitlab/", "https://example.com/gitlab/api/v4"),
        ("gitea:team/models@git.example.com:3000", "https://git.example.com:3000/api/v1"),
        ("forgejo:team/models", "https://codeberg.org/api/v1"),
        ("gitea:team/models@http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v1"),
        ("gitea:team/models@http://localhost:3000", "http://localhost:3000/api/v1"),
        ("gitea:team/models@http://[::1]:3000", "http://[::1]:3000/api/v1"),
    ],
)
def test_an_address_says_where_the_api_is(address: str, base: str) -> None:
    forge = open_forge(address, TOKEN)
    assert isinstance(forge, RemoteForge)
    assert forge._http.site.base == base
    assert str(forge._http.site).endswith(base.split("/")[2])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "github",
        "github:",
        "github:models",
        "github:team/../models",
        "github:team/models@",
        "github:team/models@a@b",
        "github:team/models@user:s3cret-token@github.com",
        "github:team/models?x=1",
        "github:team/models@host?x=1",
        "github:team/models@ho st",
        "github:team/models@http://git.example.com",
        "github:team/models@ftp://git.example.com",
        "github:team/models@https://",
        "github:team/models@example.com:port",
        "github:team/mo dels",
        "github:team/models\nx",
        "bitbucket:team/models",
        "https://github.com/team/models",
        "GITHUB:team/models",
    ],
)
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_forge(address, TOKEN)
    assert len(str(caught.value).splitlines()) == 1
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea", "forgejo"])
@pytest.mark.parametrize("token", [None, "", "  ", "a b", "a\nb", "é"])
def test_the_token_is_named_when_it_is_missing_or_no_token(kind: str, token: str | None) -> None:
    environ = {} if token is None else {"SLUICE_FORGE_TOKEN": token}
    with pytest.raises(UsageError, match="SLUICE_FORGE_TOKEN"):
        open_forge(f"{kind}:team/models", environ)


def test_nothing_that_is_shown_has_the_token() -> None:
    forge = open_forge("github:team/models", TOKEN)
    assert isinstance(forge, RemoteForge)
    assert "s3cret" not in repr(forge._http.credentials) + repr(forge) + str(forge._http.site)
