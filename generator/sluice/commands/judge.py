"""`sluice judge`: the verdict on committed counts, replayed."""

import json
import sys

from sluice.core.analysis import judgement_file
from sluice.core.analysis.checked import SIZE_LIMIT
from sluice.core.analysis.judgement import judge
from sluice.core.analysis.judgement_text import as_text
from sluice.core.finding import FindingsError, failed
from sluice.core.reports.report import report
from sluice.system import resources
from sluice.workspace.inputs import read_bytes

VERSION = 1


def run(*, file: str, form: str) -> int:
    """Print what follows from the counts in a file; 1 when the file is wrong or says otherwise."""
    raw = read_bytes(file, SIZE_LIMIT)
    try:
        document = judgement_file.read(file, raw, resources.read_schema(judgement_file.SCHEMA))
    except FindingsError as error:
        sys.stdout.write(report(error.findings, form, {file: raw}))
        return 1
    counts = judgement_file.counts_of(document.data)
    judgement = judge(counts)
    findings = list(judgement_file.differences(document, judgement))
    if form == "json":
        data = {"version": VERSION, **judgement_file.judgement_data(judgement)}
        data["differences"] = [finding.message for finding in findings]
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_text(counts, judgement))
    if findings:
        sys.stderr.write(report(findings, "text", {file: raw}))
    return int(failed(findings))
