"""What people do to a repository between two cycles."""

import yaml

from sluice import git
from support.git_fixtures import AUTHOR, MAIN, put
from support.loop import BRANCH, SPEC, Loop
from support.remote_loop import RemoteLoop


def second_release(loop: RemoteLoop, name: str) -> str:
    """Put another release beside the one that there is; return its key."""
    key = f"production/platform/{name}"
    raw = loop.file(SPEC).replace("name: chat", f"name: {name}", 1).replace("max: 4", "max: 1")
    raw = raw.replace("path: /v1", f"path: /{name}")
    loop.commit({f"environments/{key}/release.yaml": raw.encode()})
    return key


def revert(repository: git.Repository, commit: str, message: str = "Revert") -> None:
    """What `git revert -m 1` of a commit does, where nobody changed the same files since."""
    parent = git.commit_of(repository, commit).parents[0]
    paths = git.changed_paths(repository, parent, commit)
    files = git.read_tree(repository, parent, paths).files
    put(repository, {p: files.get(p) for p in paths}, message=message)


def quarantine(loop: Loop) -> list[str]:
    model = yaml.safe_load(loop.file(SPEC))["spec"]["model"]
    return list(model.get("quarantine", []))


def by_hand(loop: Loop, how: str) -> str:
    """What `git merge`, or a squash or a rebase, and a push do."""
    if how == "fast-forward":
        head = git.resolve(loop.repository, BRANCH)
        git.update_ref(loop.repository, MAIN, head, git.resolve(loop.repository, MAIN))
        return head
    if how == "squash":
        return put(loop.repository, changes(loop), message="Squashed by hand")
    base, head = git.resolve(loop.repository, MAIN), git.resolve(loop.repository, BRANCH)
    tree, _ = git.Store(loop.repository).merge(base, head)
    made = git.commit(loop.repository, tree, [base, head], "Merged by hand", AUTHOR, time=3_000)
    git.update_ref(loop.repository, MAIN, made, base)
    return made


def changes(loop: Loop) -> dict[str, bytes | None]:
    """The files that the proposal changes."""
    begun = git.commit_of(loop.repository, BRANCH).parents[0]
    paths = git.changed_paths(loop.repository, begun, git.resolve(loop.repository, BRANCH))
    files = git.read_tree(loop.repository, BRANCH, paths).files
    return {path: files.get(path) for path in paths}
