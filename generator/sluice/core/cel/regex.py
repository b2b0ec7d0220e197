"""`find` and `findAll` (all versions), with the engine's own regular expressions (RE2)."""

import importlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sluice.core.cel import load
from sluice.core.cel.libraries.declaration import Overload

_SHORT = 256
"""Characters of the texts whose answers are kept."""
_GROUP = re.compile(
    r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\((\?P?<\w+>|(?!\?))", re.DOTALL
)


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern is found in a text; the engine itself compiles it anew each time.

    Raises:
        ValueError: for a pattern that RE2 does not read.
    """
    return (_known if len(text) <= _SHORT else _search)(text, pattern)


def _search(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(text) is not None


_known = lru_cache(maxsize=4096)(_search)
"""Names and images come back in object after object."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:  # noqa: ANN401  # the library has no types
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError(f"invalid regular expression: {pattern}") from None


def _find(text: str, pattern: str) -> str:
    found: str = _helper("regex.extract(text, pattern).orValue('')")(text, pattern)
    return found


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = _helper("regex.extractAll(text, pattern)")(text, pattern)
    return found if limit < 0 else found[:limit]


def without_groups(pattern: str) -> str:
    """The same pattern with groups that capture nothing, so that matches are whole."""
    return _GROUP.sub(lambda m: m[0] if m[1] is None else "(?:", pattern)


@lru_cache(maxsize=4)
def _helper(expression: str) -> Callable[[str, str], Any]:
    engine = load.load()
    config = engine.NewEnvConfigFromYaml("extensions: [{name: optional}, {name: regex}]")
    text = engine.Type.STRING
    program = engine.NewEnv(config=config, variables={"text": text, "pattern": text}).compile(
        expression
    )

    def run(text: str, pattern: str) -> object:
        value = program.eval(data={"text": text, "pattern": without_groups(pattern)})
        if value.type() == engine.Type.ERROR:
            raise ValueError(f"invalid regular expression: {pattern}")
        return value.plain_value()

    return run


OVERLOADS = (
    Overload("find", "string, string -> string", _find),
    Overload("findAll", "string, string -> list<string>", _find_all),
    Overload("findAll", "string, string, int -> list<string>", _find_all),
)
