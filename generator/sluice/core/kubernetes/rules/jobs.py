"""Work that ends: Jobs and CronJobs."""

from typing import Any

from sluice.core.kubernetes.rules import cron
from sluice.core.kubernetes.rules.changes import fixed
from sluice.core.kubernetes.rules.checks import between, one_of, words
from sluice.core.kubernetes.rules.metadata import SELECTOR, TEMPLATE_METADATA
from sluice.core.kubernetes.rules.pods import TEMPLATE
from sluice.core.kubernetes.rules.problem import Context, Fault, Faults, mapping, text
from sluice.core.kubernetes.rules.shape import leaf, node, required
from sluice.core.kubernetes.rules.workloads import restarts

_COUNTS = (
    "parallelism",
    "completions",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)


def _check_indexed(spec: dict[str, Any], _: Context) -> Faults:
    indexed = spec.get("completionMode") == "Indexed"
    lacking = spec.get("completions") is None and spec.get("parallelism") is not None
    if indexed and lacking:
        yield Fault("SEM070", ("completionMode",), "parallelism is set, and completions is not")
    for key in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if spec.get(key) is not None and not indexed:
            yield Fault("SEM071", (key,), f"{key} needs completionMode: Indexed")


def _check_failure_policy(spec: dict[str, Any], _: Context) -> Faults:
    never = mapping(spec, "template", "spec").get("restartPolicy") == "Never"
    for key in ("podFailurePolicy", "backoffLimitPerIndex"):
        if spec.get(key) is not None and not never:
            yield Fault("SEM071", (key,), f"{key} needs restartPolicy: Never")


def _check_zone(spec: dict[str, Any], context: Context) -> Faults:
    if isinstance(spec.get("timeZone"), str):
        wrong = cron.zone(text(spec, "timeZone"), context.zones)
        if wrong:
            yield Fault("SEM073", ("timeZone",), wrong)


JOB = node(
    {
        **dict.fromkeys(_COUNTS, leaf("SEM070", between(0))),
        "completionMode": leaf("SEM070", one_of("NonIndexed", "Indexed")),
        "podReplacementPolicy": leaf("SEM071", one_of("TerminatingOrFailed", "Failed")),
        "selector": SELECTOR,
        "template": TEMPLATE,
    },
    required("SEM069", "template"),
    restarts("OnFailure", "Never"),
    _check_indexed,
    _check_failure_policy,
    fixed("template", "selector", "completionMode"),
)
_JOB_OF_CRON = node(
    {"metadata": TEMPLATE_METADATA, "spec": JOB},
    required("SEM069", "spec"),
)
CRON_JOB = node(
    {
        "schedule": leaf("SEM072", words(cron.schedule)),
        "concurrencyPolicy": leaf("SEM074", one_of("Allow", "Forbid", "Replace")),
        "startingDeadlineSeconds": leaf("SEM074", between(0)),
        "successfulJobsHistoryLimit": leaf("SEM074", between(0)),
        "failedJobsHistoryLimit": leaf("SEM074", between(0)),
        "jobTemplate": _JOB_OF_CRON,
    },
    required("SEM072", "schedule"),
    required("SEM069", "jobTemplate"),
    _check_zone,
)
