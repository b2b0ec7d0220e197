"""A real Gitea on loopback: people, a robot, and repositories to play with."""

import contextlib
import getpass
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from live.parts import cache
from live.processes import Ports, running, wait_until_up

OWNER, BOT, BOSS = "team", "bot", "boss"
SCOPES = "write:repository,write:issue,read:user"
TIMEOUT = 60.0
SETTINGS = """\
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = only-on-loopback
PASSWORD_COMPLEXITY = off
[service]
DISABLE_REGISTRATION = true
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[cron.update_checker]
ENABLED = false
[picture]
DISABLE_GRAVATAR = true
[webhook]
ALLOWED_HOST_LIST = loopback
[log]
MODE = file
LEVEL = warn
ROOT_PATH = {folder}/log
"""


@dataclass(frozen=True)
class Gitea:
    """The server with its tokens: the robot's may do what Sluice needs, the boss's all."""

    url: str
    client: httpx.Client
    bot: str
    boss: str

    def send(self, method: str, path: str, **data: object) -> httpx.Response:
        """Return what the API answers to the boss, whatever it is."""
        headers = {"authorization": f"token {self.boss}"}
        return self.client.request(method, f"/api/v1{path}", headers=headers, json=data or None)

    def ask(self, method: str, path: str, **data: object) -> Any:  # noqa: ANN401  # JSON
        """Return what the API answers to the boss, who may do everything."""
        answer = self.send(method, path, **data)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def create(self, name: str, **settings: object) -> str:
        """Make a private repository with a branch main that the robot may write; give its URL."""
        self.ask(
            "POST",
            f"/orgs/{OWNER}/repos",
            name=name,
            default_branch="main",
            private=True,
            auto_init=True,
        )
        if settings:
            self.ask("PATCH", f"/repos/{OWNER}/{name}", **settings)
        self.ask("PUT", f"/repos/{OWNER}/{name}/collaborators/{BOT}", permission="write")
        return f"{self.url}/{OWNER}/{name}.git"

    def address(self, name: str) -> str:
        """Return a repository as `--forge` takes it."""
        return f"gitea:{OWNER}/{name}@{self.url}"


@contextlib.contextmanager
def gitea_server(folder: Path, ports: Ports) -> Iterator[Gitea]:
    """Run the server until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.take()
    url = f"http://127.0.0.1:{port}"
    settings = folder / "app.ini"
    settings.write_text(SETTINGS.format(user=getpass.getuser(), folder=folder, port=port, url=url))
    program = [str(cache() / "gitea"), f"--config={settings}"]

    def administer(*arguments: str) -> str:
        environ = {**os.environ, "HOME": str(folder)}
        done = subprocess.run(
            [*program, *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()

    administer("migrate")
    with (
        running(folder, "gitea", [*program, "web"]) as server,
        httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT) as client,
    ):
        wait_until_up(server, folder, "gitea", lambda: _is_up(client))
        tokens = {}
        for name, scopes, more in ((BOSS, "all", ["--admin"]), (BOT, SCOPES, [])):
            administer(
                *("admin", "user", "create", f"--username={name}", f"--password={name}-password"),
                *(f"--email={name}@example.invalid", "--must-change-password=false", *more),
            )
            said = administer(
                *("admin", "user", "generate-access-token", f"--username={name}"),
                *("--token-name=live", f"--scopes={scopes}", "--raw"),
            )
            tokens[name] = said.splitlines()[-1]
        gitea = Gitea(url, client, tokens[BOT], tokens[BOSS])
        gitea.ask("POST", "/orgs", username=OWNER)
        yield gitea


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/api/healthz").is_success
    except httpx.TransportError:
        return False
