"""How the daemon's server treats connections: who does not come to the point makes room for others.

The server program waits for the headers of a request as long as it takes, so that a few silent
connections are enough to keep out whoever asks for its health.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 5.0
"""From a connection, or from the answer before, to the end of a request's headers."""
ANSWER_SECONDS = 30.0
"""From there until the answer is out, the body of the request included."""
MOST_CONNECTIONS = 256
"""One more takes the place of another: of one that is silent, if there is one."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1 with an end to every wait."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait(HEADER_SECONDS)
        others = [
            each
            for each in self.connections
            if isinstance(each, ImpatientProtocol) and each is not self
        ]
        if len(others) >= MOST_CONNECTIONS:
            min(others, key=lambda each: (not each.is_silent, each.deadline)).give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give a request that has its headers the time for its answer."""
        was_silent = self.is_silent
        super().data_received(data)
        if was_silent and not self.is_silent:
            self._wait(ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that nobody needs."""
        self._wait(HEADER_SECONDS)
        super().on_response_complete()
        if not self.is_silent:  # the next request was there already
            self._wait(ANSWER_SECONDS)

    @property
    def is_silent(self) -> bool:
        """Whether no request is being dealt with."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def deadline(self) -> float:
        """When it is given up, by the loop's clock."""
        return self._timer.when() if self._timer else 0.0

    def give_up(self) -> None:
        """End the connection without a word."""
        self._stop_waiting()
        if self.transport is not None:
            self.transport.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self.give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def connection_settings() -> dict[str, Any]:
    """What the server program is told."""
    return {
        "http": ImpatientProtocol,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": int(HEADER_SECONDS),
        "h11_max_incomplete_event_size": 16 << 10,
        "timeout_graceful_shutdown": 1,
    }
