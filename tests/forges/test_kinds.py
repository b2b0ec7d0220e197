"""A kind of forge is one record: what it says is known everywhere, and no other kind is guessed."""

import json

import pytest

from sluice.cli import main
from sluice.core.finding import UsageError
from sluice.forges import forge_of, git_url, kinds, open_forge
from sluice.forges.echoes import is_echo
from sluice.forges.kinds import KINDS, ForgeKind, kind_of
from sluice.forges.remote import RemoteForge
from sluice.forges.webhooks import verify
from sluice.workspace.connection import find_forge_kind
from support.forge_deliveries import BODY, HEX, SECRET

TOKEN = {"SLUICE_FORGE_TOKEN": "s3cret-token"}
ADDRESS = "gogs:team/models@http://127.0.0.1:1"
GOGS = ForgeKind(
    name="gogs",
    title="Gogs",
    module="sluice.forges.gitea",
    signatures=("x-gogs-signature",),
    events=("x-gogs-event",),
)


@pytest.fixture
def gogs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.KINDS, "gogs", GOGS)


@pytest.mark.usefixtures("gogs")
def test_a_record_is_enough_to_open_a_forge() -> None:
    forge = open_forge(ADDRESS, TOKEN)
    assert isinstance(forge, RemoteForge)
    assert forge._http.site.name == "Gogs"
    assert git_url(ADDRESS) == "http://127.0.0.1:1/team/models.git"
    assert find_forge_kind(None, ADDRESS, None) == "gogs"


@pytest.mark.usefixtures("gogs")
def test_a_record_is_enough_for_its_webhooks() -> None:
    assert verify("gogs", {"X-Gogs-Signature": HEX}, BODY, SECRET, 0).accepted
    assert not verify("gogs", {"X-Gitea-Signature": HEX}, BODY, SECRET, 0).accepted
    status = json.dumps({"context": "sluice/gates"}).encode()
    assert is_echo("gogs", {"x-gogs-event": "status"}, status, lambda _ref, _commit: False)


@pytest.mark.usefixtures("gogs")
def test_a_kind_without_a_public_host_asks_for_one() -> None:
    with pytest.raises(UsageError, match="gogs:team/models: add @HOST, gogs has no public one"):
        open_forge("gogs:team/models", TOKEN)


def test_a_public_host_tells_its_kind() -> None:
    for kind in KINDS.values():
        for host in kind.hosts:
            assert forge_of(f"https://{host}/team/models.git") == f"{kind.name}:team/models@{host}"
    assert forge_of("https://git.example.com/team/models.git") is None


def test_records_do_not_contradict_each_other() -> None:
    hosts = [host for kind in KINDS.values() for host in kind.hosts]
    assert len(hosts) == len(set(hosts))
    for name, kind in KINDS.items():
        assert name == kind.name
        assert bool(kind.signatures) != bool(kind.token), "webhooks are signed, or send a token"


def test_an_unknown_kind_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    asks = (
        lambda: open_forge(ADDRESS, TOKEN),
        lambda: git_url(ADDRESS),
        lambda: kind_of("gogs"),
        lambda: verify("gogs", {}, BODY, SECRET, 0),
        lambda: is_echo("gogs", {}, BODY, lambda _ref, _commit: False),
    )
    for ask in asks:
        with pytest.raises(UsageError, match="gogs is not a forge: forgejo, gitea, github, gitlab"):
            ask()
    assert main(["reconcile", "--once", "--registry", "file:x.yaml", "--forge", ADDRESS]) == 2
    assert "gogs is not a forge" in capsys.readouterr().err


def test_the_help_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main(["reconcile", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"KIND is one of {', '.join(KINDS)}" in said
