"""The real servers that the tests of this folder share."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

from live.argocd import argocd, argocd_version
from live.chain import Chain
from live.cluster import Cluster, api_server, nodes
from live.estate import Estate
from live.gitea import Gitea, gitea_server
from live.parts import ARGOCD, GITEA, KUBERNETES, NODES, check_version, need
from live.processes import Ports
from live.routing import accepting_routes

_NOTES = pytest.StashKey[list[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a termination end the tests as an interruption does: servers are ended then, too."""
    del session

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when nothing could run: silence is no success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = reporter is not None and any(reporter.stats.get(word) for word in ("passed", "failed"))
    if not ran and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was not asked and why, and how long things took."""
    notes = config.stash.get(_NOTES, [])
    if notes:
        terminalreporter.section("what else there is to say")
        terminalreporter.write_line("\n".join(notes))


@pytest.fixture
def notes(request: pytest.FixtureRequest) -> list[str]:
    """Give a list for what is to be told at the end."""
    return request.config.stash.setdefault(_NOTES, [])


@pytest.fixture(scope="session")
def ports() -> Ports:
    return Ports()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[Cluster]:
    """Give a cluster whose pods are scheduled and become ready."""
    need(KUBERNETES, NODES)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(api_server(tmp_path_factory.mktemp("cluster"), ports))
        check_version("KUBERNETES", cluster.ask("GET", "/version").json()["gitVersion"])
        stack.enter_context(nodes(cluster, ports))
        yield cluster


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[Gitea]:
    need(GITEA)
    with gitea_server(tmp_path_factory.mktemp("gitea"), ports) as server:
        check_version("GITEA", server.ask("GET", "/version")["version"])
        yield server


@pytest.fixture(scope="module")
def chain(
    tmp_path_factory: pytest.TempPathFactory,
    ports: Ports,
    cluster: Cluster,
    gitea: Gitea,
    estate: Estate,
) -> Iterator[Chain]:
    """Give a repository on the forge that a real Argo CD brings to the cluster.

    The `estate` is the module's own.
    """
    need(ARGOCD)
    check_version("ARGOCD", argocd_version())
    chain = Chain(tmp_path_factory.mktemp("chain"), cluster, gitea, estate)
    with contextlib.ExitStack() as stack:
        stack.callback(chain.clear)  # at the very end, when nobody brings it back
        stack.enter_context(accepting_routes(cluster))
        stack.enter_context(argocd(cluster, ports, tmp_path_factory.mktemp("argocd")))
        yield chain
