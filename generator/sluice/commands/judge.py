"""`sluice judge`: the verdict on committed counts, replayed."""

import json
import sys
from pathlib import Path

from sluice import resources
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.reports.report import report
from sluice.core.rollout import judgement_file
from sluice.core.rollout.checked import SIZE_LIMIT
from sluice.core.rollout.judgement import judge
from sluice.core.rollout.judgement_text import as_text

VERSION = 1


def run(*, file: str, form: str) -> int:
    """Print what follows from the counts in a file; 1 when the file is wrong or says otherwise."""
    raw = read_bytes(file, SIZE_LIMIT)
    try:
        document = judgement_file.read(file, raw, resources.schema(judgement_file.SCHEMA))
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


def read_bytes(file: str, limit: int) -> bytes:
    """A file that a command names, up to one byte more than a limit.

    Raises:
        UsageError: when it cannot be read.
    """
    try:
        with Path(file).open("rb") as opened:
            return opened.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
