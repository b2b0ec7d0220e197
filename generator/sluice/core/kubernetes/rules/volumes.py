"""Volumes, and where containers mount them."""

from typing import Any

from sluice.core.kubernetes.rules.checks import between, dns_label, one_of, relative_path, words
from sluice.core.kubernetes.rules.problem import (
    Context,
    Fault,
    Faults,
    mapping,
    mappings,
    show,
    text,
)
from sluice.core.kubernetes.rules.quantities import quantity
from sluice.core.kubernetes.rules.shape import each, leaf, node, required, unique

_NAME_AND_SOURCE = 2
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_MODE = leaf("SEM042", between(0, 0o777))
_ITEMS = each(
    node(
        {"path": leaf("SEM041", words(relative_path)), "mode": _MODE},
        required("SEM038", "path"),
    )
)
_FILES = {"defaultMode": _MODE, "items": _ITEMS}
_HOST_PATHS = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)


def _check_one_source(volume: dict[str, Any], _: Context) -> Faults:
    if len(volume) <= _NAME_AND_SOURCE:
        return
    given = [key for key, value in volume.items() if key != "name" and value is not None]
    if len(given) > 1:
        sources = " and ".join(str(key)[:40] for key in given[:4])
        yield Fault("SEM038", (given[1],), f"{sources} are set; a volume has one source")


VOLUME = node(
    {
        "name": leaf("SEM037", words(dns_label)),
        "emptyDir": node({"sizeLimit": leaf("SEM038", quantity)}),
        "configMap": node(_FILES, required("SEM038", "name")),
        "secret": node(_FILES, required("SEM038", "secretName")),
        "downwardAPI": node(_FILES),
        "projected": node({"defaultMode": _MODE}),
        "persistentVolumeClaim": node({}, required("SEM038", "claimName")),
        "hostPath": node(
            {"type": leaf("SEM038", one_of(*_HOST_PATHS))}, required("SEM038", "path")
        ),
    },
    required("SEM037", "name"),
    _check_one_source,
)

_PROPAGATION = one_of("None", "HostToContainer", "Bidirectional")


def check_mounts(container: dict[str, Any], _: Context) -> Faults:
    """Where a container mounts what."""
    for index, mount in mappings(container, "volumeMounts"):
        here = ("volumeMounts", index)
        if not mount.get("mountPath"):
            yield Fault("SEM040", here, "mountPath is missing")
        for key, rule, check in _OF_MOUNTS:
            value = mount.get(key)
            wrong = check(value) if isinstance(value, str) else None
            if wrong:
                yield Fault(rule, (*here, key), wrong)


_OF_MOUNTS = (
    ("subPath", "SEM041", relative_path),
    ("subPathExpr", "SEM041", relative_path),
    ("mountPropagation", "SEM040", _PROPAGATION),
)
ONE_MOUNT_A_PATH = unique("SEM040", "volumeMounts", "mountPath")
VOLUMES_DIFFER = unique("SEM037", "volumes", "name")


def _claims(context: Context) -> set[str]:
    """Volumes that a StatefulSet makes for each of its pods."""
    spec = mapping(context.root, "spec")
    return {text(mapping(t, "metadata"), "name") for _, t in mappings(spec, "volumeClaimTemplates")}


def check_mounted(pod: dict[str, Any], context: Context) -> Faults:
    """Volumes that are mounted against volumes that there are."""
    volumes = {text(volume, "name"): index for index, volume in mappings(pod, "volumes")}
    names = volumes.keys() | _claims(context)
    used = set()
    for kind in _CONTAINERS:
        for number, container in mappings(pod, kind):
            for key in ("volumeMounts", "volumeDevices"):
                for index, mount in mappings(container, key):
                    name = text(mount, "name")
                    used.add(name)
                    if not name or name not in names:
                        place = (kind, number, key, index, "name")
                        yield Fault("SEM039", place, f"the pod has no volume {show(name)}")
    for name, index in volumes.items():
        if name and name not in used:
            yield Fault("SEM043", ("volumes", index), f"nothing mounts {show(name)}")
