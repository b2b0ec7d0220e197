"""The CEL engine: loaded when it is first needed, with the guards that it needs."""

import ctypes
import importlib
import sys
from functools import lru_cache
from types import ModuleType

from sluice.core.finding import UsageError

_IMMORTAL = (3, 12)
_BALLAST = 1 << 40


@lru_cache(maxsize=1)
def load() -> ModuleType:
    """The engine's module.

    Raises:
        UsageError: when it, or what it loads itself, is not installed: policies are never skipped.
    """
    try:
        # Without it the engine ends the process instead of raising.
        importlib.import_module("google.protobuf.message_factory")
        # What runs `matches` is wanted before any policy is asked, not in the midst of one.
        importlib.import_module("re2")
        module = importlib.import_module("cel_expr_python.cel")
    except ImportError as error:
        raise UsageError(
            f"policies need the CEL engine, and {error.name or 'it'} is not installed; "
            "run `pip install --force-reinstall sluice-gitops`"
        ) from None
    _ballast_none()
    return module


def _ballast_none() -> None:
    """Keep None alive: the engine takes one reference to it with every null that it hands out.

    From Python 3.12 on None cannot die. `Program.run` looks at the type before it asks for the
    value, but nulls inside lists that Python functions are called with come past it.
    """
    if sys.implementation.name == "cpython" and sys.version_info < _IMMORTAL:
        count = ctypes.c_ssize_t.from_address(id(None))
        if count.value < _BALLAST:
            count.value += _BALLAST
