"""What a pull request shows at a glance: its labels and the one status of its commit."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from sluice.core.forge import PullRequest
from sluice.core.gates.judge import GateResult
from sluice.core.gates.table import conditions_of
from sluice.core.layout import Key
from sluice.core.promotion.message import line, says_left
from sluice.core.specs.rollout_records import Gate, Promotion

# Worn exactly as long as the forge may merge by itself what waits for nothing here.
LATER = "sluice/auto-merge"
# Worn as long as something keeps it from merging by itself.
WAITS = "sluice/waits"
CONTEXT = "sluice/gates"

Verdict = Literal["pending", "success", "failure"]


class Signal(NamedTuple):
    """What a commit status says."""

    verdict: Verdict
    text: str


def merges_later(promotion: Promotion, gates: Sequence[Gate]) -> bool:
    """Whether a forge may be left to merge when its checks have passed, however late that is.

    Not where a window may have closed, a freeze begun, an approval gone or a measurement become
    too old by then.
    """
    if promotion.windows or promotion.freezes:
        return False
    return not any(condition.lapses for gate in gates for condition in conditions_of(gate))


def is_left_to_forge(pull: PullRequest) -> bool:
    """Whether the forge may have been told to merge later.

    The text says so too: a person may have taken the label off, which tells the forge nothing.
    """
    return LATER in pull.labels or says_left(pull.body)


def labels(key: Key, held: Sequence[str], *, later: bool) -> tuple[str, ...]:
    """The labels of a pull request; `held` says why it does not merge by itself yet."""
    return tuple(_labels(key, held, later=later))


def _labels(key: Key, held: Sequence[str], *, later: bool) -> Iterator[str]:
    yield "sluice"
    yield f"sluice/{key.environment}"
    if held:
        yield WAITS
    if later:
        yield LATER


def signal(gates: Sequence[GateResult], held: Sequence[str]) -> Signal:
    """The status of a proposal: it waits for something, or passed all that is asked of it."""
    if held:
        return waiting(held)
    passed = sum(gate.passed for gate in gates)
    return Signal("success", f"{passed} of {len(gates)} conditions passed")


def waiting(reasons: Sequence[str]) -> Signal:
    """The status of what waits for something, the first thing in full."""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return Signal("pending", line(reasons[0]) + more)


def refusal(version: str, reasons: Sequence[str]) -> Signal:
    """The status of what is withdrawn because the version that took its place was refused."""
    return Signal("failure", line(f"version {version} was refused: {reasons[0]}"))
