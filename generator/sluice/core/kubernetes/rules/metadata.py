"""What holds for every object: its name, its namespace, its labels and annotations."""

from typing import Any

from sluice.core.kubernetes.rules.checks import (
    dns_label,
    label_value,
    one_of,
    path_segment,
    qualified,
    service_name,
    subdomain,
    words,
)
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
    texts,
)
from sluice.core.kubernetes.rules.shape import Step, each, leaf, node, required

_ANNOTATIONS_LIMIT = 256 * 1024
_WAVE = "argocd.argoproj.io/sync-wave"
_CLUSTER_WIDE = frozenset(
    (
        "Namespace",
        "Node",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "RuntimeClass",
        "GatewayClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    )
)
_NAMES = {
    "Namespace": dns_label,
    "Role": path_segment,
    "RoleBinding": path_segment,
    "ClusterRole": path_segment,
    "ClusterRoleBinding": path_segment,
    "PodDisruptionBudget": path_segment,
}
_LONGEST_NAMES = {"CronJob": 52, "Job": 63}
_OWN_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def _check_name(metadata: dict[str, Any], context: Context) -> Faults:
    name = metadata.get("name")
    if name in (None, ""):
        if not metadata.get("generateName"):
            yield Fault("SEM001", (), "the object has no name")
        return
    service = context.kind == "Service"
    check = service_name(context.version) if service else _NAMES.get(context.kind, subdomain)
    longest = _LONGEST_NAMES.get(context.kind)
    wrong = check(name) if isinstance(name, str) else None
    if not wrong and longest and isinstance(name, str) and len(name) > longest:
        wrong = f"{show(name)} has {len(name)} characters; a {context.kind} may have {longest}"
    if wrong:
        yield Fault("SEM001", ("name",), wrong)


def _check_namespace(metadata: dict[str, Any], context: Context) -> Faults:
    namespace = text(metadata, "namespace")
    if not namespace:
        return
    if context.kind in _CLUSTER_WIDE:
        message = f"a {context.kind} belongs to no namespace, and this one names {show(namespace)}"
        yield Fault("SEM057", ("namespace",), message)
    elif wrong := dns_label(namespace):
        yield Fault("SEM002", ("namespace",), wrong)


def _check_annotations(metadata: dict[str, Any], _: Context) -> Faults:
    size = 0
    for key, value in mapping(metadata, "annotations").items():
        if not isinstance(key, str):
            continue
        size += len(key) + (len(value.encode(errors="replace")) if isinstance(value, str) else 0)
        if wrong := qualified(key.lower()):
            yield Fault("SEM004", ("annotations", key), wrong)
    if size > _ANNOTATIONS_LIMIT:
        message = f"the annotations have {size:,} bytes; {_ANNOTATIONS_LIMIT:,} are allowed"
        yield Fault("SEM005", ("annotations",), message)


def _check_wave(metadata: dict[str, Any], _: Context) -> Faults:
    wave = text(metadata.get("annotations"), _WAVE)
    digits = wave.removeprefix("-")
    if wave and not (digits.isdecimal() and digits.isascii()):
        yield Fault("SEM009", ("annotations", _WAVE), f"{show(wave)} is no whole number")


def _check_finalizers(metadata: dict[str, Any], context: Context) -> Faults:
    group = text(context.root, "apiVersion").rpartition("/")[0]
    builtin = "." not in group or group.endswith(".k8s.io")
    for index, name in texts(metadata, "finalizers"):
        wrong = qualified(name)
        if not wrong and builtin and "/" not in name and name not in _OWN_FINALIZERS:
            wrong = f"{show(name)} has no domain"
        if wrong:
            yield Fault("SEM006", ("finalizers", index), wrong)


def _labels(
    value: Any,  # noqa: ANN401  # any JSON value
    above: tuple[str | int, ...],
    key: str | int,
    _: Context,
    faults: list[Fault],
) -> None:
    for name, worth in mapping(value).items():
        wrong = qualified(name) if isinstance(name, str) else None
        if not wrong and isinstance(worth, str):
            wrong = label_value(worth)
        if wrong:
            faults.append(Fault("SEM003", (*above, key, name), wrong))


def _check_selector_terms(selector: dict[str, Any], _: Context) -> Faults:
    for index, term in mappings(selector, "matchExpressions"):
        needs = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
        operator = text(term, "operator")
        wanted = needs.get(operator)
        if wanted is not None and wanted is not bool(term.get("values")):
            need = "needs values" if wanted else "takes no values"
            yield Fault("SEM007", ("matchExpressions", index), f"{operator} {need}")


LABELS: Step = _labels
SELECTOR = node(
    {
        "matchLabels": LABELS,
        "matchExpressions": each(
            node(
                {
                    "key": leaf("SEM007", words(qualified)),
                    "operator": leaf(
                        "SEM007", one_of("In", "NotIn", "Exists", "DoesNotExist", empty=False)
                    ),
                    "values": each(leaf("SEM007", words(label_value))),
                },
                required("SEM007", "key", "operator"),
            )
        ),
    },
    _check_selector_terms,
)
OF_METADATA = (_check_name, _check_namespace, _check_annotations, _check_wave, _check_finalizers)
METADATA = node({"labels": LABELS}, *OF_METADATA)
TEMPLATE_METADATA = node({"labels": LABELS}, _check_annotations)
