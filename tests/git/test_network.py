"""Certificates, proxies, time limits and servers that misbehave: real ones, on loopback."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sluice import git
from sluice.core.finding import UsageError
from sluice.forges import open_forge
from sluice.forges.timing import Timing
from support.forge_fake import TOKEN as FORGE_TOKEN
from support.git_fixtures import put
from support.git_http import TOKEN, Fault, GitServer, serving
from support.loop import KEY
from support.proxy import PASSWORD, Proxy, proxying
from support.remote_loop import remote_loop
from support.tls import ELSEWHERE, Authority, authority

pytestmark = pytest.mark.server
LOOK = """
import sys
from pathlib import Path
from sluice import git
from sluice.core.finding import UsageError
from sluice.git import network

network._TIMEOUT = network._CONNECT_TIMEOUT = int(sys.argv[3])
try:
    print(git.open_mirror(sys.argv[1], Path(sys.argv[2])).refresh())
except UsageError as error:
    print(error)
"""
_PLAIN = (
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SLUICE_GIT_USERNAME"),
)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GIT_TOKEN", TOKEN)
    for name in _PLAIN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.fixture
def secure(tmp_path: Path, trusted: Authority) -> Iterator[GitServer]:
    with serving(tmp_path / "served", trusted.server()) as server:
        put(git.init_bare(tmp_path / "served" / "a.git"), {"a": b"1"})
        yield server


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[GitServer]:
    with serving(tmp_path / "served") as server:
        put(git.init_bare(tmp_path / "served" / "a.git"), {"a": b"1"})
        yield server


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as started:
        yield started


def look(
    url: str, folder: Path, environ: Mapping[str, str] | None = None, limit: int = 60_000
) -> str:
    """What a process of its own says: libgit2's settings belong to the whole process."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, url, str(folder / "state"), str(limit)],
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()
    assert "\n" not in said
    assert not [secret for secret in (TOKEN, PASSWORD) if secret in said]
    return said


def test_an_authority_of_one_s_own_is_trusted_where_it_is_named(
    tmp_path: Path, secure: GitServer, trusted: Authority
) -> None:
    url = secure.url("a.git")
    assert "set SSL_CERT_FILE to its CA" in look(url, tmp_path)
    assert look(url, tmp_path, {"SSL_CERT_FILE": str(trusted.path)}) == "True"
    other = tmp_path / "other"
    other.mkdir()
    said = look(url, tmp_path, {"SSL_CERT_FILE": str(authority(other).path)})
    assert "set SSL_CERT_FILE to its CA" in said
    assert set(secure.authorizations) == {"", secure.authorizations[-1]}


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, trusted: Authority) -> None:
    with serving(tmp_path, trusted.server(ELSEWHERE)) as server:
        environ, url = {"SSL_CERT_FILE": str(trusted.path)}, server.url("a.git")
        said = look(url.replace("127.0.0.1", "localhost"), tmp_path, environ)
        assert "or one of another name" in said
        assert "certificate for this very name" in look(url, tmp_path, environ)
        assert server.authorizations == []


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("x", "no certificates")])
def test_a_file_of_certificates_that_is_none_is_one_line(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "sluice", "reconcile", "--once", "--forge", "gitea:a/b@localhost"],
        env=os.environ | {"SSL_CERT_FILE": str(path), "SLUICE_FORGE_TOKEN": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"SSL_CERT_FILE {path}" in done.stderr
    assert said in done.stderr


def test_the_same_settings_lead_to_git_and_to_the_forge(
    tmp_path: Path, trusted: Authority, proxy: Proxy
) -> None:
    with (
        remote_loop(tmp_path / "loop", "gitea") as loop,
        serving(tmp_path / "loop", trusted.server()) as server,
    ):
        loop.register(1)
        loop.register(2)
        loop.fake.socket = trusted.server().wrap_socket(loop.fake.socket, server_side=True)
        server.token = FORGE_TOKEN
        place = loop.fake.place.replace("http://", "https://")
        where = ["--repository", server.url("models.git"), "--forge", f"gitea:team/models@{place}"]
        registry = f"file:{loop.folder / 'registry.json'}"
        state = ["--state", str(tmp_path / "state")]
        environ = {
            "SSL_CERT_FILE": str(trusted.path),
            "HTTPS_PROXY": proxy.address,
            "SLUICE_GIT_TOKEN": "",
            "SLUICE_FORGE_TOKEN": FORGE_TOKEN,
        }
        said = sluice("reconcile", "--once", *where, *state, "--registry", registry, **environ)
        assert f"{KEY}: proposed version 2" in said
        ports = {f"127.0.0.1:{each.server_address[1]}" for each in (server, loop.fake)}
        assert set(proxy.asked) == ports
        assert FORGE_TOKEN not in "".join(proxy.headers)


ASK = """
import sys
from sluice.core.finding import UsageError
from sluice.registries import open_registry

try:
    print(open_registry(sys.argv[1]).describe())
except UsageError as error:
    print(error)
"""


def test_the_registry_s_certificate_is_trusted_by_the_same_setting(
    secure: GitServer, trusted: Authority
) -> None:
    def asked(**environ: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", ASK, secure.url("").rstrip("/")],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.stdout

    assert "certificate" in asked()
    assert "certificate" not in asked(SSL_CERT_FILE=str(trusted.path))


def sluice(*arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sluice", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(
    tmp_path: Path, secure: GitServer, trusted: Authority, proxy: Proxy, name: str
) -> None:
    environ = {"SSL_CERT_FILE": str(trusted.path), name: proxy.address.removeprefix("http://")}
    assert look(secure.url("a.git"), tmp_path, environ) == "True"
    assert set(proxy.asked) == {f"127.0.0.1:{secure.server_address[1]}"}
    assert TOKEN not in "".join(proxy.headers)


@pytest.mark.parametrize(
    ("exceptions", "is_proxied"),
    [
        ("127.0.0.1", False),
        ("example.com, 127.0.0.1", False),
        ("*", False),
        ("127.0.0.1:{port}", False),
        ("127.0.0.1:1,example.com", True),
    ],
)
def test_hosts_that_are_to_be_asked_directly_are(
    tmp_path: Path,
    secure: GitServer,
    trusted: Authority,
    proxy: Proxy,
    exceptions: str,
    is_proxied: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    environ = {
        "SSL_CERT_FILE": str(trusted.path),
        "HTTPS_PROXY": proxy.address,
        "NO_PROXY": exceptions.format(port=secure.server_address[1]),
    }
    assert look(secure.url("a.git"), tmp_path, environ) == "True"
    assert bool(proxy.asked) == is_proxied


def test_credentials_of_the_proxy_go_to_the_proxy_only(
    tmp_path: Path, secure: GitServer, trusted: Authority, proxy: Proxy
) -> None:
    proxy.locked = True
    environ = {"SSL_CERT_FILE": str(trusted.path), "HTTPS_PROXY": proxy.with_credentials()}
    assert look(secure.url("a.git"), tmp_path, environ) == "True"
    environ["HTTPS_PROXY"] = proxy.address
    assert "check HTTPS_PROXY and NO_PROXY" in look(secure.url("a.git"), tmp_path, environ)
    proxy.locked, proxy.status = False, 503
    environ["HTTPS_PROXY"] = proxy.with_credentials()
    assert "check HTTPS_PROXY and NO_PROXY" in look(secure.url("a.git"), tmp_path, environ)


def test_plain_http_goes_straight_to_the_server(
    tmp_path: Path, plain: GitServer, proxy: Proxy
) -> None:
    assert look(plain.url("a.git"), tmp_path, {"http_proxy": proxy.address}) == "True"


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("http", "does not answer in time"),
        ("https", "no secure connection"),
        ("ssh", "does not answer in time"),
    ],
)
def test_a_server_that_falls_silent_is_left_in_time(tmp_path: Path, scheme: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/a.git"
        assert said in look(url, tmp_path, limit=300)


def test_a_server_that_falls_silent_in_mid_answer_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def half() -> None:
            connection, _ = silent.accept()
            with connection:
                connection.recv(65_536)
                kind = b"Content-Type: application/x-git-upload-pack-advertisement"
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n")
                connection.sendall(b"Content-Length: 100\r\n\r\n001e# serv")
                connection.recv(65_536)

        thread = threading.Thread(target=half)
        thread.start()
        said = look(f"http://127.0.0.1:{silent.getsockname()[1]}/a.git", tmp_path, limit=300)
        thread.join()
    assert "does not answer in time" in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(429, b"slow", (("Retry-After", "9"),)), "429"),
        (Fault(403, b"no"), "must be allowed"),
        (Fault(404, b"none"), "no such repository"),
        (Fault(500, b"<html>oops</html>"), "trouble of its own"),
        (Fault(503), "trouble of its own"),
        (Fault(200, b"<html>Sign in</html>", (("Content-Type", "text/html"),)), "login page"),
        (Fault(302, b"", (("Location", "/again"),)), "redirects without end"),
        (Fault(401, b""), "no token"),
        (Fault(401, b"", (("WWW-Authenticate", "Negotiate"),)), "no token"),
    ],
)
def test_what_a_server_does_wrong_is_one_line(
    tmp_path: Path, plain: GitServer, fault: Fault, said: str
) -> None:
    mirror = git.open_mirror(plain.url("a.git"), tmp_path / "state")
    assert mirror.refresh()
    plain.fault = fault
    before = len(plain.authorizations)
    with pytest.raises(UsageError) as caught:
        mirror.refresh()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len([a for a in plain.authorizations[before:] if a]) == 1
    plain.fault = None
    assert not mirror.refresh()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_token_does_not_follow_to_another_origin(
    tmp_path: Path, plain: GitServer, host: str
) -> None:
    with serving(tmp_path) as other:
        other.redirect = plain.url("").rstrip("/").replace("127.0.0.1", host)
        mirror = git.open_mirror(other.url("a.git"), tmp_path / "state")
        with pytest.raises(UsageError, match="must not see the credentials") as caught:
            mirror.refresh()
        assert "\n" not in str(caught.value)
    assert set(plain.authorizations) == {""}


def test_a_forge_whose_certificate_nobody_trusts_is_asked_once(secure: GitServer) -> None:
    waits: list[float] = []
    forge = open_forge(
        f"gitea:team/models@{secure.url('').rstrip('/')}",
        {"SLUICE_FORGE_TOKEN": TOKEN},
        Timing(sleep=waits.append),
    )
    with pytest.raises(UsageError, match="set SSL_CERT_FILE to its CA's certificate"):
        forge.list()
    assert waits == []
