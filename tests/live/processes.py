"""Servers that run beside the tests: each is ended by its own id, whatever becomes of the tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 180.0
"""Seconds that a server may take to come up; a machine that others use too is slow."""
GRACE = 15.0
POLL = 0.25
TAIL = 3000


@dataclass
class Ports:
    """Hands out free ports of loopback, from SLUICE_LIVE_PORT upwards."""

    following: int = field(default_factory=lambda: int(os.environ.get("SLUICE_LIVE_PORT", "27400")))

    def take(self) -> int:
        """Return the next port that nobody listens on."""
        while _is_taken(self.following):
            self.following += 1
        self.following += 1
        return self.following - 1


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(
    folder: Path, name: str, command: Sequence[str | Path], environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block; what it says goes to a log.

    Args:
        folder: where it runs, and its home; logs are in its `logs`.
        name: of the log.
        command: the program and its arguments.
        environ: what is added to the environment of the tests.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*_that_ends_with_us(), *map(str, command)],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it ends with what it has started itself
        )
    try:
        yield process
    finally:
        _end(process)


def _that_ends_with_us() -> list[str]:
    """Return a prefix that ends a program also when these tests are killed; Linux has one."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--"] if program else []


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)  # a group of its own, by its leader's id
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            return


def wait_for(
    condition: Callable[[], bool],
    what: str,
    seconds: float = PATIENCE,
    told: Callable[[], str] = lambda: "",
    pause: float = POLL,
) -> float:
    """Return after how many seconds a condition came to hold.

    Args:
        condition: what is to hold; it is asked again and again.
        what: in words, for the failure.
        seconds: how long it may take.
        told: what there is to say if it does not come to hold.
        pause: seconds between two looks.

    Raises:
        AssertionError: when it did not come to hold in time.
    """
    began = time.monotonic()
    while not condition():
        spent = time.monotonic() - began
        assert spent < seconds, f"not within {seconds:.0f} s: {what}\n{told()}"
        time.sleep(pause)
    return time.monotonic() - began


def wait_until_up(
    process: subprocess.Popen[bytes], folder: Path, name: str, answers: Callable[[], bool]
) -> None:
    """Return once a server answers.

    Raises:
        AssertionError: with its last words, when it ended or does not answer in time.
    """

    def last_words() -> str:
        return (folder / "logs" / f"{name}.log").read_text(errors="replace")[-TAIL:]

    def answers_or_is_gone() -> bool:
        assert process.poll() is None, f"{name} ended: {last_words()}"
        return answers()

    wait_for(answers_or_is_gone, f"{name} answers", told=last_words)
