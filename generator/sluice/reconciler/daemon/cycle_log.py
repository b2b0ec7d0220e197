"""What the daemon writes down: lines for people, or one JSON object a line for programs."""

import json
import time
from dataclasses import asdict, dataclass, field

import click

from sluice.core.finding import FindingsError
from sluice.core.outgoing import lines_of, one_line
from sluice.core.promotion.outcome import Outcome
from sluice.core.reports.report import report


@dataclass
class Diary:
    """Says of a release what is new; saying the same each cycle would hide it."""

    form: str = "text"
    _warned: str = ""
    _said: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def outcome(self, outcome: Outcome, of: str = "promotion") -> None:
        """Write what became of a release, unless that was the last thing written of it.

        Its promotion and its rollout are told apart.
        """
        if self._said.get((of, outcome.release)) == outcome:
            return
        self._said[of, outcome.release] = outcome
        if self.form == "json":
            level = "warning" if outcome.refused else "info"
            self._record("outcome", level, **asdict(outcome))
        else:
            click.echo(format_line(outcome))

    def trouble(self, said: str, wait: float) -> None:
        """Write what kept a whole cycle from its end."""
        if self.form == "json":
            self._record("trouble", "error", said=said, retryIn=round(wait))
        else:
            click.echo(f"sluice: {said.rstrip()}; trying again in about {wait:.0f} s", err=True)

    def warning(self, said: str) -> None:
        """Write what is not as it should be and keeps nothing from its end; once in a row."""
        if said and said != self._warned:
            if self.form == "json":
                self._record("warning", "warning", said=said)
            else:
                click.echo(f"sluice: {one_line(said)}", err=True)
        self._warned = said

    def defect(self, said: str) -> None:
        """Write an error that nobody foresaw, with its trace."""
        if self.form == "json":
            self._record("unforeseen", "error", said=said)
        else:
            click.echo(f"sluice: {said}", err=True)

    def note(self, event: str, **fields: object) -> None:
        """Write what concerns the daemon itself; for programs only."""
        if self.form == "json":
            self._record(event, "info", **fields)

    def findings(self, error: FindingsError) -> str:
        """Put findings into words of this form."""
        return report(error.findings, "text", {}).rstrip()

    def _record(self, event: str, level: str, **fields: object) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        click.echo(json.dumps({"time": stamp, "level": level, "event": event, **fields}))


def format_line(outcome: Outcome) -> str:
    """An outcome in one line, and one for each reason."""
    said = f"version {outcome.version}"
    version = f" {said}" if outcome.version and f"{said} " not in f"{outcome.what} " else ""
    pull = f" (#{outcome.pull})" if outcome.pull else ""
    reasons = [f"    {reason}" for reason in outcome.reasons]
    return lines_of([f"{outcome.release}: {outcome.what}{version}{pull}", *reasons]).rstrip("\n")
