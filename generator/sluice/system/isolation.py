"""Work in a process of its own, for what a library may crash, starve or fill the memory with."""

import faulthandler
import mmap
import os
import pickle
import resource
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sluice.core.finding import FindingsError, UsageError

STEP_SECONDS = 30.0
"""Processor time for one step of the work."""
STANDSTILL_SECONDS = 300.0
"""Time by the clock for one step. It is reached by work that waits for something: a process that is
forked has the locks that other threads held, and none of these threads to let them go. Python and
the C library see to their own ones, so this is for those of other libraries."""
MEMORY = 2 << 30
"""Bytes that the work may take beyond what the process has when it begins."""

Result = TypeVar("Result")
Begin = Callable[[int], None]
"""Told which step of the work begins now."""

_STEP = struct.Struct("q")
_NONE = -1
_OUT_OF_MEMORY, _TOO_DEEP = 77, 78
_REASONS = {
    _OUT_OF_MEMORY: "takes more memory than it may",
    _TOO_DEEP: "is nested too deeply, or what it is asked about is",
    -signal.SIGALRM: f"does not come to an end within {STANDSTILL_SECONDS:.0f} seconds",
    -signal.SIGVTALRM: f"takes more than {STEP_SECONDS:.0f} seconds",
    -signal.SIGABRT: "takes more memory than it may, or ends the CEL engine",
    -signal.SIGKILL: "takes more memory than there is",
    -signal.SIGSEGV: "ends the CEL engine",
}


@dataclass(frozen=True)
class Died:
    """The process came to an untimely end: at which step, None before the first, and why."""

    step: int | None
    reason: str


def run_isolated(work: Callable[[Begin], Result]) -> Result | Died:
    """Do the work in a child of this process, and give its result.

    Args:
        work: tells by its argument which step begins; the result must be plain data.

    Raises:
        UsageError: as the work raised it, or when no process can be started.
        FindingsError: as the work raised it.
        RuntimeError: for any other exception in the work, with its trace.
    """
    step = mmap.mmap(-1, _STEP.size)
    _STEP.pack_into(step, 0, _NONE)
    receiving, sending = os.pipe()
    child = _fork()
    if child == 0:
        os.close(receiving)
        _run_child(work, step, sending)
    os.close(sending)
    try:
        with os.fdopen(receiving, "rb") as pipe:
            answer = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        (last,) = _STEP.unpack_from(step, 0)
        if last == _NONE:
            last = None
        return Died(last, _explain_status(status))
    result: Result = _unpack_answer(answer)
    return result


def _fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        with warnings.catch_warnings():
            # The child runs nothing of the other threads and leaves by _exit; that it may wait for
            # one of them is why it has STANDSTILL_SECONDS.
            warnings.simplefilter("ignore", DeprecationWarning)
            return os.fork()
    except OSError as error:
        raise UsageError(f"cannot start a process for policies: {error.strerror}") from None


def _explain_status(status: int) -> str:
    return _REASONS.get(status, f"ends the process that judges it (status {status})")


def _run_child(work: Callable[[Begin], Result], step: mmap.mmap, sending: int) -> None:
    """Do the work, send what came of it, and end."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, STANDSTILL_SECONDS)
        _limit_itself()

        def begin(number: int) -> None:
            _STEP.pack_into(step, 0, number)
            signal.setitimer(signal.ITIMER_VIRTUAL, STEP_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, STANDSTILL_SECONDS)

        answer = _pack_answer(work, begin)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(answer)
        code = 0
    except MemoryError:
        code = _OUT_OF_MEMORY
    except RecursionError:
        code = _TOO_DEEP
    finally:
        os._exit(code)


def _pack_answer(work: Callable[[Begin], Result], begin: Begin) -> bytes:
    try:
        return pickle.dumps((True, work(begin)))
    except FindingsError as error:
        return pickle.dumps((False, error.findings))
    except UsageError as error:
        return pickle.dumps((False, str(error)))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001  # whatever it is, the parent shows it
        return pickle.dumps((False, RuntimeError(traceback.format_exc())))


def _unpack_answer(answer: bytes) -> Any:  # noqa: ANN401  # the work's own result
    is_result, content = pickle.loads(answer)  # noqa: S301  # from our own child
    if is_result:
        return content
    if isinstance(content, list):
        raise FindingsError(content)
    if isinstance(content, str):
        raise UsageError(content)
    raise content


def _limit_itself() -> None:
    """Let go of what the parent handles, leave no dumps, and take no more memory than agreed."""
    faulthandler.disable()
    for number in (signal.SIGVTALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _measure_address_space()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = mapped + MEMORY
    if mapped and (hard == resource.RLIM_INFINITY or limit < hard):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _measure_address_space() -> int:
    """Return the bytes that this process has mapped; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * mmap.PAGESIZE
