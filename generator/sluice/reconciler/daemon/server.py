"""The daemon's small server: health, metrics, and webhooks that do nothing but wake the loop."""

import asyncio
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sluice.core.finding import UsageError
from sluice.core.unforeseen import UnforeseenError, isolated
from sluice.reconciler.daemon.connections import connection_settings
from sluice.reconciler.daemon.telemetry import Telemetry

LARGEST_BODY = 2**20
_BODY_SECONDS = 10.0
_REMEMBERED = 1000
_AT_ONCE = 64


class Delivery(Protocol):
    """What a verifier says: whether to believe it, why not, its id, and whether it is news."""

    @property
    def accepted(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def is_news(self) -> bool: ...


Verifier = Callable[[Mapping[str, str], bytes], Delivery]


@dataclass(frozen=True)
class Listener:
    """What the server needs of the daemon; `verifiers` are the webhooks by their source.

    `is_alive` and `trouble`, what kept the last cycle from its end, are asked by Kubernetes; `wake`
    is told which source has news, from another thread.
    """

    telemetry: Telemetry
    is_alive: Callable[[], bool]
    trouble: Callable[[], str]
    wake: Callable[[str], object]
    verifiers: Mapping[str, Verifier]
    _open: set[object] = field(default_factory=set)
    _known: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def app(self) -> Starlette:
        """Return the server's routes."""
        return Starlette(
            routes=[
                Route("/healthz", self._health(lambda: "" if self.is_alive() else "stuck")),
                Route("/readyz", self._health(self.trouble)),
                Route("/metrics", self._metrics),
                Route("/webhooks/{source}", self._deliver, methods=["POST"]),
            ]
        )

    def _health(self, ask: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_request: Request) -> Response:
            wrong = ask()
            return PlainTextResponse(f"{wrong or 'ok'}\n", 503 if wrong else 200)

        return answer

    def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self.telemetry.registry), media_type=CONTENT_TYPE_LATEST)

    async def _deliver(self, request: Request) -> Response:
        source = request.path_params["source"]
        verify = self.verifiers.get(source)
        if verify is None:
            return PlainTextResponse("no secret is configured for these webhooks\n", 404)
        if len(self._open) >= _AT_ONCE:
            return PlainTextResponse("too many deliveries at once: send it again\n", 503)
        turn = object()
        self._open.add(turn)
        try:
            body = await _body(request)
        finally:
            self._open.discard(turn)
        if body is None:
            return PlainTextResponse("the body is too large or does not come\n", 413)
        try:
            with isolated("a webhook"):
                delivery = verify(dict(request.headers), body)
        except UnforeseenError:
            return PlainTextResponse("this delivery cannot be read\n", 400)
        is_new = not delivery.accepted or self._is_new(source, delivery.id)
        self.telemetry.delivery(source, _describe_health(delivery) if is_new else "replayed")
        if not delivery.accepted:
            return PlainTextResponse(f"{delivery.reason}\n", 401)
        if is_new and delivery.is_news:
            self.wake(source)
        return PlainTextResponse("ok\n", 202)

    def _is_new(self, source: str, name: str) -> bool:
        """Whether a delivery was not seen before; one without an id always is."""
        if name and (source, name) in self._known:
            self._known.move_to_end((source, name))
            return False
        self._known[source, name] = None
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return True


def _describe_health(delivery: Delivery) -> str:
    """What became of a delivery, as the metric names it."""
    if not delivery.accepted:
        return "refused"
    return "accepted" if delivery.is_news else "echo"


async def _body(request: Request) -> bytes | None:
    """Return the bytes as they came, None when there are too many or they do not end."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return body


@contextmanager
def serve(listener: Listener, where: str) -> Iterator[int]:
    """Serve in a thread while the block runs; gives the port.

    Raises:
        UsageError: it is no HOST:PORT, or another program has it.
    """
    bound = _bound(where)
    server = uvicorn.Server(uvicorn.Config(listener.app(), **connection_settings()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def _bound(where: str) -> socket.socket:
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"{where!r}: give HOST:PORT, as in 0.0.0.0:8080")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), int(port)))
    except (OSError, OverflowError) as error:
        bound.close()
        raise UsageError(f"cannot listen at {where}: {error}") from None
    return bound
