"""What an init container does to get weights, run for real with a copy in place of a download."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.core.workload.fetching import _SCRIPT
from sluice.workspace.workspace import Workspace
from support import trees

FILES = {
    "MLmodel": "x\n",
    "model/w.safetensors": "weights",
    "a b/.hidden": "odd",
    "meta": "client's",
}
FOLDER = "weights-from-everywhere"


def digest(files: dict[str, str]) -> str:
    """As people compute it: find, sha256sum, sort, sha256sum."""
    lines = sorted(f"{hashlib.sha256(v.encode()).hexdigest()}  ./{k}\n" for k, v in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """What lies in the store."""
    for name, text in FILES.items():
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "store"


def fetched(
    target: Path, stored: Path, said: str = "", inner: str = "", file: str = ""
) -> subprocess.CompletedProcess[str]:
    call = ["cp", "-r", f"{stored}/{file}" if file else f"{stored}/.", "."]
    return subprocess.run(
        ["sh", "-euc", _SCRIPT, "fetch", target, said, inner, "meta", file, *call],
        env={"PATH": os.environ["PATH"], "HOSTNAME": "pod-1"},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, str]:
    return {name: content.decode() for name, content in trees.below(folder).items()}


OWN = {name: text for name, text in FILES.items() if name != "meta"}


def test_weights_arrive_whole_with_a_digest_that_is_right(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "fetched" / "chat"
    assert fetched(target, stored, digest(OWN)).returncode == 0
    assert contents(target) == {**OWN, ".complete": ""}
    assert [path.name for path in target.parent.iterdir()] == ["chat"]


def test_weights_of_another_digest_are_not_served(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "fetched" / "chat"
    result = fetched(target, stored, digest(FILES))
    assert result.returncode == 1
    assert f"the digest is {digest(OWN)}" in result.stderr
    assert not target.exists()


def test_one_file_has_its_own_digest(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "chat"
    said = hashlib.sha256(b"x\n").hexdigest()
    assert fetched(target, stored, said, file="MLmodel").returncode == 0
    assert contents(target) == {"MLmodel": "x\n", ".complete": ""}


def test_a_folder_in_which_they_arrive_is_taken_away(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "chat"
    assert fetched(target, stored, inner="model").returncode == 0
    assert contents(target) == {"w.safetensors": "weights", ".complete": ""}


def test_what_is_complete_is_not_fetched_again(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "chat"
    assert fetched(target, stored).returncode == 0
    assert fetched(target, tmp_path / "gone").returncode == 0


def test_a_failed_or_interrupted_download_leaves_nothing_to_serve(
    stored: Path, tmp_path: Path
) -> None:
    target = tmp_path / "chat"
    assert fetched(target, tmp_path / "gone").returncode != 0
    assert not target.exists()
    (tmp_path / "chat.pod-1").mkdir(exist_ok=True)
    (tmp_path / "chat.pod-1" / "half").write_text("half")
    assert fetched(target, stored, digest(OWN)).returncode == 0
    assert "half" not in contents(target)


def test_two_replicas_on_one_claim_serve_the_same(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "chat"
    assert fetched(target, stored).returncode == 0
    (target / ".complete").rename(tmp_path / "later")  # as another pod saw it when it began
    (tmp_path / "chat.pod-1").mkdir()
    assert fetched(target, stored).returncode != 0  # an incomplete folder of nobody's is not served
    (tmp_path / "later").rename(target / ".complete")
    assert contents(target) == {**OWN, ".complete": ""}


def _pod(release: str) -> Any:  # noqa: ANN401  # any YAML
    files = trees.case(trees.CASES / "valid" / FOLDER)
    manifests = Workspace(files).render()
    return manifests[f"manifests/lab/weights/{release}/deployment.yaml"].data["spec"]["template"][
        "spec"
    ]


@pytest.mark.parametrize(
    ("release", "model", "fetchers"),
    [
        ("hub", "Qwen/Qwen2.5-7B-Instruct", 0),
        ("bucket", "s3://models/chat/1", 0),
        ("downloaded", "/fetched/s3-models-chat-1-", 1),
        ("cloud", "gs://models/chat/1", 0),
        ("image", "/models/weights", 0),
        ("registry", "/fetched/models-chat-7-", 3),
    ],
)
def test_an_engine_is_told_where_its_weights_are(release: str, model: str, fetchers: int) -> None:
    pod = _pod(release)
    (engine,) = pod["containers"]
    assert engine["command"][2].startswith(model)
    assert len(pod.get("initContainers", ())) == fetchers
    offline = {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]
    assert offline == model.startswith("/")


@pytest.mark.parametrize("release", ["downloaded", "registry"])
def test_who_fetches_writes_into_volumes_only(release: str) -> None:
    for container in _pod(release)["initContainers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        variables = {each["name"]: each.get("value") for each in container["env"]}
        mounts = {each["mountPath"] for each in container["volumeMounts"]}
        assert mounts == {"/fetched", variables["HOME"]}
        assert not any(each.get("readOnly") for each in container["volumeMounts"])


def test_every_client_that_fetches_runs_on_a_root_that_is_read_only() -> None:
    catalog = trees.tools().catalog
    stores = [store for name in catalog.names("sources") if (store := catalog.store(name))]
    fetching = [store for store in stores if store.image]
    assert len(fetching) == 3
    for store in fetching:
        assert (store.read_only_root, store.environment["HOME"]) == (True, "/tmp")  # noqa: S108  # in a pod


def test_no_secret_is_written_out() -> None:
    files = trees.case(trees.CASES / "valid" / FOLDER)
    written = b"".join(m.content() for m in Workspace(files).render().values()).decode()
    assert "secretKeyRef" in written
    assert "$(" not in written


def test_every_engine_keeps_hub_downloads_where_the_cache_is_mounted() -> None:
    catalog = trees.tools().catalog
    store = catalog.store("hf")
    assert store
    homes = {
        engine.environment.get("HF_HOME")
        for engine in map(catalog.engine, catalog.names("engines"))
        if engine and "model.revision" in engine.fields
    }
    assert homes == {store.cache}
