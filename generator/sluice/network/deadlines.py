"""Conversations with servers come to an end, however slowly a server drips.

Time limits of clients are about the next byte, and some clients have none that could be set. So a
conversation as a whole is watched from outside: when its time is over, or the process has to end,
the connections of this process are cut, and whatever waits on one of them fails at once. Those that
rest in a pool are cut as well; who wants them finds that out, and connects anew.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_POLL = 0.25  # seconds between two looks, and between two cuts, since some clients try again
_NETWORK = (socket.AF_INET, socket.AF_INET6)
_FOLDERS = ("/proc/self/fd", "/dev/fd")


class _Watcher:
    """Knows which conversations are under way, and cuts connections when one is over its time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ends: dict[object, float] = {}
        self._cut: set[object] = set()
        self._thread: threading.Thread | None = None
        self.given_up = False

    def begin(self, conversation: object, seconds: float) -> None:
        with self._changed:
            self._ends[conversation] = time.monotonic() + seconds
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def end(self, conversation: object) -> bool:
        """Whether it was cut."""
        with self._changed:
            self._ends.pop(conversation, None)
            was_cut = conversation in self._cut
            self._cut.discard(conversation)
            return was_cut

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._ends))
                now = time.monotonic()
                late = [c for c, end in self._ends.items() if self.given_up or end <= now]
                self._cut.update(late)
                if late:
                    with suppress(OSError):  # tried again soon
                        cut()
            time.sleep(_POLL)


_watcher = _Watcher()


@contextmanager
def within(seconds: float, problem: Callable[[], Exception]) -> Iterator[None]:
    """Let a conversation come to an end within so many seconds, or soon when the process must end.

    Args:
        seconds: for all of it: the connection, the headers and the bodies.
        problem: makes the error for one that does not.

    Raises:
        Exception: that error.
    """
    if _watcher.given_up:
        raise problem()
    conversation = object()
    _watcher.begin(conversation, seconds)
    try:
        yield
    except Exception:  # whatever a client makes of a connection that was cut
        if _watcher.end(conversation):
            raise problem() from None
        raise
    finally:
        was_cut = _watcher.end(conversation)
    # Some take an answer that breaks off for a whole one, even for one that says nothing.
    if was_cut:
        raise problem()


def give_up() -> None:
    """Cut every conversation, also those to come: the process has to end."""
    _watcher.given_up = True


def cut() -> None:
    """Cut every connection that this process has made; those that it was asked for stay."""
    streams = list(_streams())
    own = {_port(each) for each in streams if _listens(each)}
    for each in streams:
        with each, suppress(OSError):
            if _port(each) not in own:
                each.shutdown(socket.SHUT_RDWR)


def _streams() -> Iterator[socket.socket]:
    """The TCP sockets of this process, each by a handle of its own."""
    folder = next(filter(os.path.isdir, _FOLDERS), None)
    for name in os.listdir(folder) if folder else ():  # noqa: PTH208  # numbers, no paths
        with suppress(OSError, ValueError):
            found = _socket(os.dup(int(name)))
            if found.family in _NETWORK and found.type == socket.SOCK_STREAM:
                yield found
            else:
                found.close()


def _socket(handle: int) -> socket.socket:
    """The socket of a handle, which is closed when it is none."""
    try:
        return socket.socket(fileno=handle)
    except OSError:
        os.close(handle)
        raise


def _listens(stream: socket.socket) -> bool:
    return bool(stream.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _port(stream: socket.socket) -> int:
    return int(stream.getsockname()[1])
