"""What is wrong with an expression, in the words of the API server and where it sees it."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sluice.core.cel import versions
from sluice.core.cel.runtime import CODE
from sluice.core.cel.versions import Version

_PROBLEM = re.compile(
    r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: |\s*\[[A-Z_]+\]$|$)", re.DOTALL
)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_VARIABLE = re.compile(r"undeclared reference to 'variables\.?([^'.]*)")
_CHAIN = re.compile(r"([A-Za-z_]\w*)(?:\s*\.\s*\w+)*\s*$")
"""A name with fields after it, up to where a text ends."""


class Problem(NamedTuple):
    """Why an expression does not compile; line and column count from 1 inside the expression."""

    line: int
    column: int
    message: str


class CompileError(Exception):
    """An expression that the API server would refuse."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in problems))


def problems_in(message: str, expression: str, version: Version) -> list[Problem]:
    """The problems that a message of the engine tells.

    Args:
        message: as the engine gave it.
        expression: what it is about.
        version: of Kubernetes, which tells whether a name is of a later one.
    """
    found: list[Problem] = []
    explained: list[Problem] = []
    for line, column, text in _PROBLEM.findall(message):
        better = _explained(text.strip(), version)
        one = Problem(max(int(line), 1), max(int(column), 1), better or text.strip())
        (explained if better else found).append(one)
    lines = expression.split("\n")
    found = [_as_the_server_says(one, lines) for one in found if _first(one.message)]
    return (
        explained or found or [Problem(1, 1, CODE.sub("", message).strip() or "does not compile")]
    )


def _first(message: str) -> bool:
    """Whether a problem is not merely what follows from another one."""
    return "'*error*'" not in message


def _as_the_server_says(problem: Problem, lines: Sequence[str]) -> Problem:
    """A problem in the words of the API server, and where it sees it.

    Of a name that nobody declared the engine tells all fields, and the server the first name.
    """
    text = problem.message.replace(" (in container '')", "").replace("kubernetes.", "")
    if variable := _VARIABLE.match(text):
        said = "no such variable, or one that is declared further down; match conditions know none"
        return problem._replace(message=f"undefined field '{variable[1]}': {said}")
    undeclared = _UNDECLARED.match(text)
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    before, at = line[: problem.column - 1], line[problem.column - 1 : problem.column]
    chain = _CHAIN.search(before) if at == "." else None
    if undeclared and chain and undeclared[1].startswith(f"{chain[1]}."):
        column, said = chain.start() + 1, f"undeclared reference to '{chain[1]}'"
        return problem._replace(column=column, message=said)
    return problem._replace(message=text)


def _explained(message: str, version: Version) -> str:
    """What is really the matter with an undeclared name, where that is known."""
    name = found[1] if (found := _UNDECLARED.search(message)) else ""
    if name.partition(".")[0] == "authorizer":
        return "`authorizer` asks a running API server, so this cannot be decided offline"
    since = versions.introduced().get(name.rpartition(".")[2])
    if since and since > version:
        wanted, target = (".".join(map(str, one)) for one in (since, version))
        return f"`{name}` needs Kubernetes {wanted}, and the target is {target}"
    return ""
