"""`sluice evals import`: results of an evaluation harness, into the registry."""

from collections.abc import Sequence

import click

from sluice.core.finding import UsageError
from sluice.core.gates.harness import read
from sluice.core.model import Assessment
from sluice.core.outgoing import lines_of
from sluice.workspace.inputs import read_bytes

_LARGEST = 64 << 20


def run(
    *,
    file: str,
    model: str,
    version: str,
    renamed: Sequence[str],
    registry: str | None,
    dry_run: bool,
) -> int:
    """Write the metrics of a result file beside a version, a run for each task."""
    found = read(_content(file), _names(renamed))
    if not dry_run:
        from sluice.registries.mlflow_recording import Recorder  # noqa: PLC0415  # slow

        if not registry:
            raise UsageError("no registry: give --registry or set MLFLOW_TRACKING_URI")
        runs = Recorder(registry).record(model, version, found)
    for each in found:
        where = "not written" if dry_run else f"run {runs[each.task]}"
        values = [f"    {line}" for line in _lines(each)]
        about = f"{each.task} on {each.dataset}@{each.digest}: {where}"
        click.echo(lines_of([about, *values]), nl=False)
    return 0


def _lines(each: Assessment) -> list[str]:
    return [f"{name} {value:g}" for name, value in sorted(each.metrics.items())]


def _content(file: str) -> bytes:
    content = read_bytes(file, _LARGEST)
    if len(content) > _LARGEST:
        raise UsageError(f"{file} has more than {_LARGEST >> 20} MiB: give the results alone")
    return content


def _names(renamed: Sequence[str]) -> dict[str, str]:
    """`FROM=TO` by FROM."""
    pairs = [each.rpartition("=")[::2] for each in renamed]
    if not all(old and new for old, new in pairs):
        raise UsageError("--name wants METRIC=NAME, for instance mmlu/acc,none=mmlu")
    names = dict(pairs)
    if len(names) < len(pairs):
        raise UsageError("--name gives one metric two names")
    return names
