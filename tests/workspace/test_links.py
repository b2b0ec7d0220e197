"""Whatever a verb writes, and wherever a link stands on the way: outside nothing changes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice import files
from sluice.commands import init, render
from sluice.core.finding import UsageError
from sluice.files import writing
from sluice.workspace import fixes
from sluice.workspace.connection import _state_folder
from sluice.workspace.workspace import open_workspace

STAGING = (".sluice", ".sluice/.gitignore")
RELEASE = "environments/staging/platform/chat/release.yaml"


def write_all(root: Path) -> int:
    return render.run(check=False, root=str(root), form="text")


def fix(root: Path) -> int:
    workspace = open_workspace(root)
    return int(fixes.fix(root, workspace, workspace.check()) == 0)


def draw(root: Path) -> int:
    files.write_file(root / "public" / "board.html", b"<html>")
    return 0


def keep(root: Path) -> int:
    _state_folder(str(root / "state" / "here"), {})
    return 0


def begin(root: Path) -> int:
    init.write(root)
    return 0


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("links") / "models"
    init.write(top)
    return top


def prepared(repository: Path, root: Path, verb: Callable[[Path], int]) -> Path:
    shutil.copytree(repository, root)
    (root / "public").mkdir()
    if verb in (write_all, fix):
        wrong = {write_all: "replicas: 3", fix: "replicsa: 1"}[verb]
        text = (root / RELEASE).read_text("utf-8")
        assert "replicas: 1" in text
        (root / RELEASE).write_text(text.replace("replicas: 1", wrong), "utf-8")
    return root


def test_the_verbs_do_write_where_no_link_is(repository: Path, tmp_path: Path) -> None:
    for verb in (write_all, fix, draw, keep):
        root = prepared(repository, tmp_path / verb.__name__, verb)
        before = snapshot(root)
        assert verb(root) == 0
        assert snapshot(root) != before


@pytest.mark.parametrize(
    ("verb", "paths"),
    [
        (
            write_all,
            ("manifests", "manifests/staging/platform/chat/deployment-v1.yaml", *STAGING),
        ),
        (fix, (RELEASE, *STAGING)),
        (draw, ("public/board.html",)),
        (keep, ("state/here",)),
    ],
)
def test_outside_nothing_changes_by_a_link_on_the_way(
    repository: Path,
    tmp_path: Path,
    verb: Callable[[Path], int],
    paths: tuple[str, ...],
) -> None:
    for number, path in enumerate(sorted({part for one in paths for part in components(one)})):
        outside = tmp_path / f"outside{number}"
        root = prepared(repository, tmp_path / f"root{number}", verb)
        lead_outside(root / path, outside)
        before = snapshot(outside)
        said = ""
        try:
            refused = verb(root) != 0
        except UsageError as error:
            refused, said = True, str(error)
        assert not said or ("link" in said and "\n" not in said)
        assert snapshot(outside) == before, path
        # What keeps Git from seeing the folder of drafts is left as it stands.
        assert refused or path == ".sluice/.gitignore", path


@pytest.mark.parametrize("path", ["environments", "manifests", "policies", "README.md", ".sluice"])
def test_a_new_repository_is_not_written_over_a_link(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    (outside / "empty").mkdir(parents=True)
    (root / path).symlink_to(outside / "empty")
    with pytest.raises(UsageError):
        init.write(root)
    assert [entry.name for entry in outside.rglob("*")] == ["empty"]


def test_a_new_repository_is_not_written_into_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").symlink_to("outside")
    with pytest.raises(UsageError, match="symbolic link"):
        init.write(tmp_path / "root")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_mirror_that_is_a_link_is_refused(tmp_path: Path) -> None:
    from sluice import git  # noqa: PLC0415  # only here

    folder, outside = tmp_path / "state", tmp_path / "outside"
    mirror = Path(git.open_mirror("https://git.example.com/models", folder).repository.path)
    outside.mkdir()
    shutil.rmtree(mirror)
    mirror.symlink_to(outside)
    with pytest.raises(UsageError, match="symbolic link"):
        git.open_mirror("https://git.example.com/models", folder)
    assert list(outside.iterdir()) == []


def test_the_page_is_written_whole_and_into_what_is_no_file(tmp_path: Path) -> None:
    page = tmp_path / "board.html"
    for content in (b"one", b"two"):
        files.write_file(page, content)
        assert page.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["board.html"]
    files.write_file(Path("/dev/null"), b"nobody")
    assert Path("/dev/null").is_char_device()


def test_what_is_being_written_is_for_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    create = writing._create

    def watched(name: str, folder: int, content: bytes) -> None:
        seen.extend(entry.stat().st_mode & 0o077 for entry in tmp_path.glob(".board.html.*"))
        create(name, folder, content)

    monkeypatch.setattr(writing, "_create", watched)
    files.write_file(tmp_path / "board.html", b"page")
    assert seen == [0]


def components(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[: end + 1]) for end in range(len(parts)))


def lead_outside(path: Path, outside: Path) -> None:
    """Put what stands there outside, and a link in its place."""
    outside.mkdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and any(path.iterdir() if path.is_dir() else [path]):
        shutil.move(path, outside / "target")
    elif "." in path.name[1:] or path.name == ".gitignore":
        (outside / "target").write_bytes(b"mine")
    else:
        (outside / "target").mkdir()
    if path.is_dir():
        path.rmdir()
    path.symlink_to(outside / "target")


def snapshot(top: Path) -> dict[str, bytes | str]:
    return {
        path.relative_to(top).as_posix(): path.read_bytes() if path.is_file() else "folder"
        for path in sorted(top.rglob("*"))
    }
