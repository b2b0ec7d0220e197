"""The work tree: read without leaving it, written whole or not at all."""

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import files
from sluice.commands import validate
from sluice.core.finding import UsageError
from support.file_changes import CHANGES, NEW, OLD, make, state


def dies(step: int, work: Callable[[], None]) -> bool:
    """Do the work in a process that ends without any warning before its n-th system call."""
    child = os.fork()
    if child == 0:
        calls = itertools.count()

        def hook(event: str, _: object) -> None:
            if event.startswith(("os.", "open", "ctypes.", "shutil.")) and next(calls) == step:
                os._exit(9)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_writing_creates_changes_and_deletes(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    files.write(tmp_path, CHANGES)
    assert state(tmp_path) == NEW
    assert not (tmp_path / "manifests" / "b").exists()


def test_killed_at_any_moment_the_tree_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    seen = set()
    for step in itertools.count():
        root = make(tmp_path / str(step), OLD)
        killed = dies(step, lambda root=root: files.write(root, CHANGES))  # type: ignore[misc]  # bound now
        found = state(root)
        assert found in (OLD, NEW), f"half written when killed before call {step}"
        seen.add(len(found))
        files.write(root, CHANGES)
        assert state(root) == NEW
        if not killed:
            break
    assert step > 20
    assert seen == {len(OLD), len(NEW)}


def test_killed_at_any_moment_the_first_rendering_leaves_nothing_or_everything(
    tmp_path: Path,
) -> None:
    first: dict[str, bytes | None] = {**NEW}
    for step in itertools.count():
        root = make(tmp_path / str(step), {"environments/e.yaml": b""})
        killed = dies(step, lambda root=root: files.write(root, first))  # type: ignore[misc]  # bound now
        assert state(root) in ({}, NEW)
        files.write(root, first)
        assert state(root) == NEW
        if not killed:
            break


def test_files_that_do_not_change_are_not_written_again(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    before = (tmp_path / "manifests/a/y.yaml").stat()
    files.write(tmp_path, {"manifests/a/x.yaml": b"new"})
    after = (tmp_path / "manifests/a/y.yaml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_hard_link_to_a_file_does_not_see_it_change(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    (tmp_path / "copy").hardlink_to(tmp_path / "manifests/a/x.yaml")
    files.write(tmp_path, {"manifests/a/x.yaml": b"new"})
    assert (tmp_path / "copy").read_bytes() == b"old x"


def test_no_changes_touch_nothing(tmp_path: Path) -> None:
    files.write(tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_over_is_ignored_by_git(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    files.write(tmp_path, CHANGES)
    assert (tmp_path / ".sluice" / ".gitignore").read_text("utf-8") == "*\n"
    assert [path.name for path in (tmp_path / ".sluice").iterdir()] == [".gitignore"]


@pytest.mark.parametrize("path", ["../x", "manifests/../../x", "/x", "manifests/a/../../../x"])
def test_a_path_that_leads_outside_is_not_written(tmp_path: Path, path: str) -> None:
    root = make(tmp_path / "root", OLD)
    with pytest.raises(UsageError, match="outside"):
        files.write(root, {path: b"x"})
    assert {entry.name for entry in tmp_path.iterdir()} == {"root"}


def test_nothing_is_written_over_a_symbolic_link(tmp_path: Path) -> None:
    root, outside = make(tmp_path / "root", OLD), tmp_path / "outside"
    outside.mkdir()
    (root / "manifests" / "link").symlink_to(outside)
    with pytest.raises(UsageError, match="symbolic link"):
        files.write(root, {"manifests/link/chat/x.yaml": b"x"})
    assert list(outside.iterdir()) == []


def test_a_link_among_what_changes_keeps_everything_from_being_written(tmp_path: Path) -> None:
    root, outside = make(tmp_path / "root", OLD), tmp_path / "outside"
    outside.mkdir()
    (root / "manifests" / "a" / "link").symlink_to(outside)
    before = files.read(root, ["manifests"], 1 << 20).files
    with pytest.raises(UsageError, match="manifests/a/link"):
        files.write(root, {"manifests/a/link/x.yaml": b"x", "manifests/b/y.yaml": b"y"})
    assert list(outside.iterdir()) == []
    assert files.read(root, ["manifests"], 1 << 20).files == before


def test_the_folder_for_what_is_being_written_may_not_be_a_link(tmp_path: Path) -> None:
    root, outside = make(tmp_path / "root", OLD), tmp_path / "outside"
    outside.mkdir()
    (root / ".sluice").symlink_to(outside)
    with pytest.raises(UsageError, match=r"\.sluice leads over a symbolic link"):
        files.write(root, {"manifests/x.yaml": b"x"})
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("exists", [True, False])
def test_no_write_follows_a_link_in_that_folder(tmp_path: Path, exists: bool) -> None:  # noqa: FBT001  # a case
    root, victim = make(tmp_path / "root", OLD), tmp_path / "victim"
    if exists:
        victim.write_bytes(b"mine")
    (root / ".sluice").mkdir()
    (root / ".sluice" / ".gitignore").symlink_to(victim)
    files.write(root, {"manifests/x.yaml": b"x"})
    assert victim.exists() == exists
    assert not exists or victim.read_bytes() == b"mine"


def test_a_file_where_a_folder_is_needed_is_a_clear_error(tmp_path: Path) -> None:
    make(tmp_path, {"manifests/a": b"a file"})
    with pytest.raises(UsageError, match="cannot write"):
        files.write(tmp_path, {"manifests/a/b/x.yaml": b"x"})


@contextmanager
def unprivileged() -> Iterator[None]:
    """Whoever may write everywhere must give that up to be refused."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with unprivileged(), pytest.raises(UsageError, match="cannot write"):
        files.write(closed, {"manifests/x.yaml": b"x"})


def test_reading_names_symbolic_links_and_follows_none(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    (tmp_path / "manifests/link.yaml").symlink_to("a/x.yaml")
    (tmp_path / "manifests/folder").symlink_to(tmp_path)
    (tmp_path / "manifests/dangling").symlink_to("nowhere")
    tree = files.read(tmp_path, ["manifests"], 1 << 20)
    assert tree.files == OLD
    assert tree.links == ["manifests/dangling", "manifests/folder", "manifests/link.yaml"]


def test_a_folder_that_is_itself_a_link_is_not_read(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", OLD)
    (tmp_path / "manifests").symlink_to(tmp_path / "elsewhere" / "manifests")
    tree = files.read(tmp_path, ["manifests", "absent"], 1 << 20)
    assert (tree.files, tree.links) == ({}, ["manifests"])


def test_of_a_large_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    make(tmp_path, {"manifests/large": b"x" * 1000})
    assert files.read(tmp_path, ["manifests"], 10).files == {"manifests/large": b"x" * 11}
    assert files.read_one(tmp_path, "manifests/large", 10) == b"x" * 11


@pytest.mark.parametrize("path", ["absent", "manifests", "manifests/a/x.yaml/below"])
def test_what_is_no_file_is_nothing(tmp_path: Path, path: str) -> None:
    assert files.read_one(make(tmp_path, OLD), path, 10) is None


@pytest.mark.parametrize("path", ["..", "../other/x", "a/../../x", "/etc/passwd"])
def test_a_path_outside_is_not_inside(tmp_path: Path, path: str) -> None:
    assert files.relative_inside(tmp_path, tmp_path / path) is None


def test_a_path_over_a_link_is_not_inside(tmp_path: Path) -> None:
    make(tmp_path, OLD)
    (tmp_path / "link").symlink_to("manifests")
    assert files.relative_inside(tmp_path, tmp_path / "link" / "a" / "x.yaml") is None
    assert files.relative_inside(tmp_path, tmp_path / "manifests/a/x.yaml") == "manifests/a/x.yaml"
    assert files.relative_inside(tmp_path, tmp_path / "manifests/../manifests/a") == "manifests/a"


def test_validating_a_file_outside_the_repository_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "root" / "environments").mkdir(parents=True)
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n", encoding="utf-8")
    code = validate.run(paths=(str(secret),), root=str(tmp_path / "root"), form="json")
    written = capsys.readouterr().out
    assert code == 1
    assert [finding["rule"] for finding in json.loads(written)["findings"]] == ["REF019"]
    assert "hunter2" not in written
