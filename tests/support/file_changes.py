"""A change of a work tree, and the states before and after it."""

from pathlib import Path

from sluice import files

OLD = {
    "manifests/a/x.yaml": b"old x",
    "manifests/a/y.yaml": b"old y",
    "manifests/b/deep/z.yaml": b"old z",
}
CHANGES: dict[str, bytes | None] = {
    "manifests/a/x.yaml": b"new x",
    "manifests/a/y.yaml": None,
    "manifests/c/new.yaml": b"new",
    "manifests/b/deep/z.yaml": None,
}
NEW = {"manifests/a/x.yaml": b"new x", "manifests/c/new.yaml": b"new"}


def make(root: Path, tree: dict[str, bytes]) -> Path:
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def state(root: Path) -> dict[str, bytes]:
    return files.read(root, ["manifests"], 1 << 20).files
