"""A GitHub App: a key that signs for an hour's token of one repository."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jwt

from sluice.core.finding import UsageError
from sluice.forges.answers import RefusedError, Site
from sluice.forges.http import Transport
from sluice.forges.timing import Timing
from sluice.forges.wire import BrokenError

_ID = "SLUICE_GITHUB_APP_ID"
_KEY = "SLUICE_GITHUB_APP_PRIVATE_KEY_FILE"
_INSTALLATION = "SLUICE_GITHUB_APP_INSTALLATION_ID"
_CLOCKS_DIFFER = 60  # seconds
_LIFE = 540  # GitHub takes up to 600
_EARLY = 300
_ADVICE = {
    404: f"; {_INSTALLATION} may be that of another App, or the App is not installed any more",
    422: "; the App must be installed for this repository, with the permissions that it asks for",
}
_PERMISSIONS = {"contents": "write", "pull_requests": "write", "statuses": "write"}


def read_app(environ: Mapping[str, str], site: Site, name: str, timing: Timing) -> "App | None":
    """Return the App of the environment for one repository, None when there is none.

    Args:
        environ: where the variables are.
        site: the forge.
        name: the repository's own name.
        timing: the clock.

    Raises:
        UsageError: one of the variables is missing or no good.
    """
    values = {key: environ.get(key, "").strip() for key in (_ID, _KEY, _INSTALLATION)}
    if not any(values.values()):
        return None
    missing = [key for key, value in values.items() if not value]
    if missing:
        raise UsageError(f"a GitHub App needs {' and '.join(missing)} as well")
    if not values[_INSTALLATION].isdecimal():
        raise UsageError(f"{_INSTALLATION} is not a number")
    signer = _Signer(values[_ID], _read_key(values[_KEY]), timing)
    signer.header()
    here = replace(site, credential=f"the App of {_ID}")
    return App(Transport(here, signer, timing=timing), values[_INSTALLATION], name, timing)


class App:
    """Credentials that renew themselves."""

    def __init__(self, http: Transport, installation: str, name: str, timing: Timing) -> None:
        self._http, self._timing = http, timing
        self._installation, self._name = installation, name
        self._token, self._ends = "", 0.0
        self._fresh = False

    def header(self) -> str:
        """Return the value of the Authorization header."""
        return f"Bearer {self.password()}"

    def secrets(self) -> Collection[str]:
        """Return the token of the hour, and the key."""
        return (*self._http.credentials.secrets(), self._token)

    def renew(self) -> bool:
        """Forget the token; one that was new is not refused for its age."""
        renewable, self._token, self._fresh = not self._fresh, "", False
        return renewable

    def password(self) -> str:
        """Return the token, a new one when the old one is about to end.

        Raises:
            UsageError: the forge gives no token.
        """
        if self._token and self._timing.clock() < self._ends - _EARLY:
            self._fresh = False
            return self._token
        path = f"/app/installations/{self._installation}/access_tokens"
        body = {"repositories": [self._name], "permissions": _PERMISSIONS}
        try:
            answer = self._http.call("POST", path, body=body)
        except (RefusedError, BrokenError) as error:
            # Not the call's own refusal: "not found" here is no word on what was asked for.
            raise UsageError(f"{error}{_ADVICE.get(getattr(error, 'status', 0), '')}") from None
        with self._http.reading():
            self._token = str(answer.data["token"])
            self._ends = datetime.fromisoformat(answer.data["expires_at"]).timestamp()
        self._fresh = True
        return self._token

    def find_bot(self) -> str:
        """Return the account that acts for the App."""
        answer = self._http.call("GET", "/app")
        with self._http.reading():
            return f"{answer.data['slug']}[bot]"


class _Signer:
    """The App itself, as opposed to its installation."""

    def __init__(self, app: str, key: str, timing: Timing) -> None:
        self._app, self._key, self._timing = app, key, timing

    def header(self) -> str:
        now = int(self._timing.clock())
        claims = {"iat": now - _CLOCKS_DIFFER, "exp": now + _LIFE, "iss": self._app}
        try:
            return f"Bearer {jwt.encode(claims, self._key, algorithm='RS256')}"
        except (jwt.PyJWTError, ValueError, TypeError):
            raise UsageError(f"{_KEY} holds no RSA private key in PEM form") from None

    def secrets(self) -> Collection[str]:
        return (self._key,)

    def renew(self) -> bool:
        return False

    def password(self) -> str:
        raise UsageError("an App has no password of its own")


def _read_key(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{_KEY}: {path} cannot be read") from None
