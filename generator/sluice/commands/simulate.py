"""`sluice simulate`: a rollout played through with a virtual clock."""

import json
import sys

from sluice.core.documents.limits import SPEC
from sluice.core.finding import FindingsError
from sluice.core.outgoing import lines_of
from sluice.core.reports.report import report
from sluice.core.rollout import scenario
from sluice.core.rollout.simulation import simulate
from sluice.core.rollout.simulation_text import as_data, as_text
from sluice.system import resources
from sluice.workspace.inputs import read_bytes

VERSION = 1


def run(*, file: str, form: str) -> int:
    """Print every tick and the commits that it asks for; 1 when the file is wrong."""
    raw = read_bytes(file, SPEC.size)
    try:
        played = scenario.read(file, raw, resources.read_schema(scenario.SCHEMA))
    except FindingsError as error:
        sys.stdout.write(report(error.findings, form, {file: raw}))
        return 1
    ticks = simulate(played)
    if form == "json":
        data = {"version": VERSION, "ticks": [as_data(tick) for tick in ticks]}
        sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(lines_of(as_text(ticks)))
    return 0
