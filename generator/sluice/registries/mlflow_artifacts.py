"""The files of a model version, as far as the tracking server itself hands them out.

Nothing else is ever asked on behalf of a version: a source may name any machine, and our
credentials are meant for one. Lists and files are read within limits of size and time.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from sluice.core.bounded import json_of
from sluice.core.model import UNLISTED, Contents

_ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
_STORED = re.compile(
    r"mlflow-artifacts:(?://(?P<host>[^/]*))?/(?P<path>[\w.:+@=-]+(?:/[\w.:+@=-]+)*)/?", re.ASCII
)
_LARGEST_BYTES = 1 << 20
_PIECE = 1 << 16
_MOST_FILES = 2000
_MOST_FOLDERS = 100
_MOST_CONFIGS = 20
_SECONDS = 30.0
_CONFIG = "config.json"
_CODE_OF_A_CONFIG = "auto_map"


class UnlistedError(Exception):
    """Why there is no list of files, in words that follow `its files are not known: `."""


def make_relative(source: str, tracking_uri: str) -> str:
    """Return a source in the tracking server's own storage without the name of that server."""
    stored = _STORED.fullmatch(source)
    if stored and stored["host"] and stored["host"].lower() == _parse_host(tracking_uri):
        return f"mlflow-artifacts:/{stored['path']}"
    return source


def _parse_host(uri: str) -> str:
    return urlsplit(uri).netloc.rpartition("@")[2].lower()


@dataclass
class Folder:
    """Where a version is stored, if that is with the tracking server.

    `until` is when reading ends, on the clock that only goes forward.
    """

    tracking_uri: str
    storage: str
    until: float = field(default_factory=lambda: time.monotonic() + _SECONDS)

    def read_contents(self) -> Contents:
        """List every file and the configurations that load code; say why some are not known."""
        files: list[str] = []
        loaders: list[str] = []
        gap = ""
        try:
            self._list_into(files)
        except UnlistedError as error:
            gap = str(error)
        configs = [path for path in files if path.lower().endswith(_CONFIG)]
        if len(configs) > _MOST_CONFIGS:
            gap = f"more than {_MOST_CONFIGS} configurations are among them"
        for path in configs[:_MOST_CONFIGS]:
            try:
                if self._loads_code(path):
                    loaders.append(path)
            except UnlistedError as error:
                gap = str(error)
        return Contents(tuple(sorted(files)), tuple(loaders), gap)

    def read_text(self, name: str) -> str:
        """Read the text of one file; nothing where there is none that can be read."""
        try:
            return self._read(f"{self._find_root()}/{name}").decode(errors="replace")
        except UnlistedError:
            return ""

    def _find_root(self) -> str:
        stored = _STORED.fullmatch(self.storage)
        if stored is None or stored["host"]:
            raise UnlistedError(UNLISTED)
        if {".", ".."} & set(stored["path"].split("/")):
            raise UnlistedError("the registry keeps them under an address with dots")
        return stored["path"]

    def _list_into(self, files: list[str]) -> None:
        """Add every file to a list, which keeps those before something is in the way."""
        root, folders = self._find_root(), [""]
        for count, folder in enumerate(folders):
            if count >= _MOST_FOLDERS or len(files) > _MOST_FILES:
                raise UnlistedError(f"there are more than {_MOST_FILES} of them")
            for name, is_folder in self._list(f"{root}/{folder}".rstrip("/")):
                path = f"{folder}/{name}".lstrip("/")
                if is_folder:
                    folders.append(path)  # which this loop comes to later
                else:
                    files.append(path)
        if not files:
            raise UnlistedError("the registry lists none where the version is stored")

    def _list(self, path: str) -> Iterator[tuple[str, bool]]:
        answer = self._parse_json(self._get(_ROUTE, {"path": path}))
        entries = answer.get("files", []) if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise UnlistedError(_NONSENSE)
        for entry in entries:
            name = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in {"", ".", ".."} or "/" in name:
                raise UnlistedError(_NONSENSE)
            yield name, entry.get("is_dir") is True

    def _loads_code(self, path: str) -> bool:
        """Whether a configuration, or any part of it, names code to load."""
        waiting = [self._parse_json(self._read(f"{self._find_root()}/{path}"))]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                if value.get(_CODE_OF_A_CONFIG):
                    return True
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value
        return False

    def _parse_json(self, content: bytes) -> Any:  # noqa: ANN401  # whatever a stranger wrote
        try:
            return json_of(content)
        except ValueError:
            raise UnlistedError(_NONSENSE) from None

    def _read(self, path: str) -> bytes:
        return self._get(f"{_ROUTE}/{quote(path)}", {})

    def _get(self, route: str, query: Mapping[str, str]) -> bytes:
        """Ask the tracking server, which may not send us to another one."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  # slow: only when used
        from mlflow.utils import credentials, rest_utils  # noqa: PLC0415  # as above

        if time.monotonic() > self.until:
            raise UnlistedError(_SLOW)
        access = credentials.get_default_host_creds(self.tracking_uri)  # type: ignore[no-untyped-call]
        try:
            answer = rest_utils.http_request(  # type: ignore[no-untyped-call]
                access,
                route,
                "GET",
                params=query,
                stream=True,
                allow_redirects=False,
                extra_headers={"Accept-Encoding": "identity"},
            )
        except MlflowException:
            raise UnlistedError("the registry's server does not hand them out") from None
        with answer:
            if answer.status_code != HTTPStatus.OK:
                reason = f"the registry's server refuses to hand them out ({answer.status_code})"
                raise UnlistedError(reason)
            return self._read_body(answer.raw)

    def _read_body(self, stream: Any) -> bytes:  # noqa: ANN401  # of a library without types
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # slow: only when used

        content = bytearray()
        try:
            while piece := stream.read1(_PIECE, decode_content=False):
                content += piece
                if len(content) > _LARGEST_BYTES:
                    raise UnlistedError(f"the answer is larger than {_LARGEST_BYTES} bytes")
                if time.monotonic() > self.until:
                    raise UnlistedError(_SLOW)
        except (HTTPError, OSError):
            raise UnlistedError("the registry's server breaks its answer off") from None
        return bytes(content)


_NONSENSE = "the registry's server answers, but not with a list of files"
_SLOW = f"the registry's server takes longer than {_SECONDS:.0f} s"
