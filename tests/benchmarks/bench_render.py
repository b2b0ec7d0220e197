"""Rendering a thousand releases, against `kubectl kustomize` building the same objects."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from sluice import files
from sluice.core import pipeline
from sluice.core.documents.limits import SPEC
from sluice.core.layout import Key, release_directory
from sluice.workspace.toolkit import make_toolkit
from sluice.workspace.workspace import Workspace

ROOT = Path(__file__).parents[2]
REFERENCE = "environments/production/platform/chat/release.yaml"


def repository(count: int) -> dict[str, bytes]:
    """The reference environments with `count` more releases of the reference shape."""
    found = files.read(ROOT, ["environments"], SPEC.size).files
    environment = "environments/production/environment.yaml"
    many = {environment: found[environment].replace(b"quota: 16", b"quota: 999999")}
    for number in range(count):
        name = f"chat-{number}".encode()
        spec = found[REFERENCE].replace(b"name: chat\n", b"name: " + name + b"\n")
        spec = spec.replace(b"path: /v1", b"path: /v1/" + name)
        many[f"environments/production/team{number // 100}/{name.decode()}/release.yaml"] = spec
    return many


def run(count: int = 1000) -> dict[str, float]:
    """Seconds for all releases by Sluice, and for the same objects by kustomize."""
    many = repository(count)
    began = time.perf_counter()
    workspace = Workspace(many)
    rendered = {path: m.content() for path, m in workspace.render().items()}
    whole = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        files.write(Path(folder), rendered)
        written = time.perf_counter() - began
        measured = {"sluice, all": whole, "sluice, writing": written}
        measured |= _one(many, rendered)
        kustomize = shutil.which("kubectl")
        if kustomize:
            measured["kubectl kustomize, all"] = _kustomize(Path(folder), rendered, count)
    return measured


def _one(many: dict[str, bytes], rendered: dict[str, bytes]) -> dict[str, float]:
    """One release alone, after the first: what a single change costs."""
    tools = make_toolkit()
    key = Key("production", "team0", "chat-0")
    environment = "environments/production/environment.yaml"
    spec = f"environments/{key}/release.yaml"
    near = {environment: many[environment], spec: many[spec]}
    specs = pipeline.read(near, tools.schemas, tools.records)
    pipeline.render(specs, tools, [key])
    began = time.perf_counter()
    again, _ = pipeline.render(specs, tools, [key])
    content = {path: m.content() for path, m in again.items()}
    one = time.perf_counter() - began
    assert all(rendered[path] == raw for path, raw in content.items())
    return {"sluice, one more": one}


def _kustomize(folder: Path, rendered: dict[str, bytes], count: int) -> float:
    """A base with the objects of one release, and an overlay a release that renames them."""
    base = folder / "base"
    base.mkdir()
    directory = release_directory(Key("production", "team0", "chat-0"))
    objects = {
        path.rpartition("/")[2]: raw
        for path, raw in rendered.items()
        if path.startswith(f"{directory}/")
    }
    for name, raw in objects.items():
        (base / name).write_bytes(raw)
    resources = "".join(f"  - {name}\n" for name in objects)
    (base / "kustomization.yaml").write_text(f"resources:\n{resources}")
    overlays = folder / "overlays"
    listed = []
    for number in range(count):
        overlay = overlays / str(number)
        overlay.mkdir(parents=True)
        text = f"resources:\n  - ../../base\nnameSuffix: '-{number}'\n"
        (overlay / "kustomization.yaml").write_text(text)
        listed.append(f"  - overlays/{number}\n")
    (folder / "kustomization.yaml").write_text("resources:\n" + "".join(listed))
    began = time.perf_counter()
    command = ["kubectl", "kustomize", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def report(measured: dict[str, float]) -> list[str]:
    """The numbers as ratios against kustomize in the same run."""
    lines = [f"{name}: {seconds:.3f} s" for name, seconds in measured.items()]
    theirs = measured.get("kubectl kustomize, all")
    if theirs is None:
        return [*lines, "no kubectl here: no ratio"]
    return [*lines, f"ratio: {theirs / measured['sluice, all']:.1f} times faster than kustomize"]
