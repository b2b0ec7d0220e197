"""The loop on a real registry server."""

from pathlib import Path

from sluice.registries import open_registry
from support import mlflow_server as server
from support.loop import SPEC, Loop


def looped(folder: Path, url: str, name: str, follows: str = "stage: Production") -> Loop:
    loop = Loop(folder, open_registry(url))
    for spec in (SPEC, SPEC.replace("production", "staging")):
        loop.edit(spec, ("name: qwen2.5-7b-instruct\n    version", f"name: {name}\n    version"))
    loop.edit("environments/production/environment.yaml", ("stage: Production", follows))
    return loop


def add(
    url: str, name: str, number: int, accuracy: float, *, stage: str = "", alias: str = ""
) -> None:
    source, metrics = f"pvc://model-pvc/{number}", {"mmlu/acc": accuracy}
    version = server.register(
        url, name, version_source=source, metrics=metrics, stage=stage, alias=alias
    )
    assert version == str(number)
