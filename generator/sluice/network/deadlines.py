"""Conversations with servers come to an end, however slowly a server drips.

Time limits of clients are about the next byte, and some clients have none that could be set. So a
conversation as a whole is watched from outside: when its time is over, or the process has to end,
the connections of this process are cut, and whatever waits on one of them fails at once. Those that
rest in a pool are cut as well; who wants them finds that out, and connects anew.

In the same way ends what fills the memory: a client in a library of C has no bounds of its own for
a line of a header, nor for a list of branches.
"""

import math
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MOST_MEMORY = 512 << 20
"""Bytes that a conversation may take, beside what the process has when it begins. A list of a
million branches, or an index of as many objects, takes less."""
_POLL = 0.05  # seconds between two looks, and between two cuts, since some clients try again
_NETWORK = (socket.AF_INET, socket.AF_INET6)
_FOLDERS = ("/proc/self/fd", "/dev/fd")
_SIZES = Path("/proc/self/statm")


Problem = Callable[[], Exception]


@dataclass(eq=False)
class _Conversation:
    """What is under way, until when it may be, and how much memory the process may have by then."""

    end: float
    late: Problem
    most: float
    too_large: Problem
    cut_for: Problem | None = None


class _Watcher:
    """Knows which conversations are under way, and cuts connections when one is beyond bounds."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[_Conversation] = set()
        self._thread: threading.Thread | None = None
        self.given_up = False

    def begin(self, conversation: _Conversation) -> None:
        with self._changed:
            self._under_way.add(conversation)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def end(self, conversation: _Conversation) -> Problem | None:
        """End a conversation, and return what it was cut for."""
        with self._changed:
            self._under_way.discard(conversation)
            return conversation.cut_for

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._under_way))
                self._judge()
                if any(conversation.cut_for for conversation in self._under_way):
                    with suppress(OSError):  # tried again soon
                        cut_connections()
            time.sleep(_POLL)

    def _judge(self) -> None:
        now, memory = time.monotonic(), _measure_memory()
        for conversation in self._under_way:
            if conversation.cut_for is not None:
                continue
            if self.given_up or conversation.end <= now:
                conversation.cut_for = conversation.late
            elif conversation.most < memory:
                conversation.cut_for = conversation.too_large


_watcher = _Watcher()


@contextmanager
def within(seconds: float, late: Problem, too_large: Problem | None = None) -> Iterator[None]:
    """Let a conversation come to an end within so many seconds, or soon when the process must end.

    Args:
        seconds: for all of it: the connection, the headers and the bodies.
        late: makes the error for one that does not.
        too_large: makes it for one that takes more than `MOST_MEMORY`; None where the client has
            bounds of its own.

    Raises:
        Exception: one of these errors.
    """
    if _watcher.given_up:
        raise late()
    most = math.inf if too_large is None else _measure_memory() + MOST_MEMORY
    conversation = _Conversation(time.monotonic() + seconds, late, most, too_large or late)
    _watcher.begin(conversation)
    try:
        yield
    except Exception:  # whatever a client makes of a connection that was cut
        problem = _watcher.end(conversation)
        if problem is not None:
            raise problem() from None
        raise
    finally:
        problem = _watcher.end(conversation)
    # Some take an answer that breaks off for a whole one, even for one that says nothing.
    if problem is not None:
        raise problem()


def _measure_memory() -> int:
    """Return the bytes of memory of this process, without files; 0 where the system is silent."""
    try:
        _, resident, shared = _SIZES.read_text(encoding="ascii").split()[:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * mmap.PAGESIZE


def give_up() -> None:
    """Cut every conversation, also those to come: the process has to end."""
    _watcher.given_up = True


def cut_connections() -> None:
    """Cut every connection that this process has made; those that it was asked for stay."""
    streams = list(_list_streams())
    listening = {_read_port(stream) for stream in streams if _is_listening(stream)}
    for stream in streams:
        with stream, suppress(OSError):
            # A connection that somebody made to us has the port that we listen on.
            if _read_port(stream) not in listening:
                stream.shutdown(socket.SHUT_RDWR)


def _list_streams() -> Iterator[socket.socket]:
    """Yield the TCP sockets of this process, each by a handle of its own."""
    folder = next(filter(os.path.isdir, _FOLDERS), None)
    if folder is None:
        return
    for name in os.listdir(folder):  # noqa: PTH208  # numbers, no paths
        with suppress(OSError, ValueError):
            stream = _open_socket(os.dup(int(name)))
            if stream.family in _NETWORK and stream.type == socket.SOCK_STREAM:
                yield stream
            else:
                stream.close()


def _open_socket(handle: int) -> socket.socket:
    """Open the socket of a handle, which is closed when it is none."""
    try:
        return socket.socket(fileno=handle)
    except OSError:
        os.close(handle)
        raise


def _is_listening(stream: socket.socket) -> bool:
    return bool(stream.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _read_port(stream: socket.socket) -> int:
    return int(stream.getsockname()[1])
