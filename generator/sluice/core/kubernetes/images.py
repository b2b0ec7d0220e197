"""The images of rendered objects: with a digest, where an environment requires it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, Place, Rendered
from sluice.core.specs.resolve import Environment

Pointer = tuple[str | int, ...]
_LISTS = ("containers", "initContainers", "ephemeralContainers")


def check_images(environment: Environment, rendered: Iterable[Manifest]) -> Iterator[Finding]:
    """Every image without a digest, of whatever container or volume, where one is required."""
    if environment.spec.images.digests != "required":
        return
    for manifest in rendered:
        for pointer, image in _images(manifest.data):
            if "@sha256:" not in image:
                message = f"the environment requires digests, and {image} has none"
                remedy = (
                    "add engine.digest beside engine.version; for what fetches weights name an "
                    "image with its digest in storage.sources of the environment"
                )
                where = Rendered(manifest.path, pointer)
                yield Finding(Place(manifest.source), "ENG055", message, remedy, rendered=where)


def _images(node: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, str]]:  # noqa: ANN401  # any YAML
    """The images of containers and of volumes, wherever in an object a pod is described."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _images(value, (*pointer, key))
        image = node.get("image")
        if isinstance(image, str) and len(pointer) > 1 and pointer[-2] in _LISTS:
            yield (*pointer, "image"), image
        elif isinstance(image, Mapping) and isinstance(image.get("reference"), str):
            yield (*pointer, "image", "reference"), image["reference"]
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _images(value, (*pointer, index))
