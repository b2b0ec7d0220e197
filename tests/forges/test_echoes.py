"""What a delivery must be to wake nobody; the shapes are those that Gitea 1.26.4 has sent."""

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sluice import git
from sluice.forges.echoes import is_echo
from sluice.reconciler.daemon.webhooks import FORGE_SECRET, read_verifiers
from support.git_fixtures import MAIN
from support.remote_loop import remote_loop

REF, COMMIT, ZEROS = "refs/heads/sluice/p/t/chat", "c" * 40, "0" * 40
MARKED = "hello\n\n<!-- sluice:comment k -->"


def made(ref: str, commit: str | None) -> bool:
    return (ref, commit) in {(REF, COMMIT), (REF, None)}


def pull(action: str, sender: str = "bot", branch: str = "sluice/p/t/chat", home: int = 1) -> Any:  # noqa: ANN401  # JSON
    head = {"ref": branch, "repo": {"id": home}}
    request = {"user": {"login": "bot"}, "head": head, "base": {"ref": "main", "repo": {"id": 1}}}
    return {"action": action, "pull_request": request, "sender": {"login": sender}}


def comment(text: str, sender: str = "bot") -> Any:  # noqa: ANN401  # JSON
    said = {"comment": {"body": text}, "issue": {"user": {"login": "bot"}}}
    return {"action": "created", "sender": {"login": sender}, **said}


def push(commit: str, ref: str = REF) -> Any:  # noqa: ANN401  # JSON
    return {"ref": ref, "before": "b" * 40, "after": commit, "sender": {"login": "bot"}}


ECHOES = [
    ("push", push(COMMIT)),
    ("push", push(ZEROS)),
    ("create", {"ref": "sluice/p/t/chat", "ref_type": "branch"}),
    ("delete", {"ref": "sluice/p/t/chat", "ref_type": "branch"}),
    ("status", {"context": "sluice/gates", "state": "success"}),
    ("pull_request", pull("opened")),
    ("pull_request", pull("label_updated")),
    ("pull_request", pull("synchronized")),
    ("issue_comment", comment(MARKED)),
]
NEWS = [
    ("push", push("d" * 40)),
    ("push", push(COMMIT, "refs/heads/main")),
    ("push", push(ZEROS, "refs/heads/sluice/p/t/other")),
    ("delete", {"ref": "sluice/p/t/other", "ref_type": "branch"}),
    ("create", {"ref": "feature", "ref_type": "branch"}),
    ("status", {"context": "ci/build", "state": "success"}),
    ("pull_request", pull("closed")),
    ("pull_request", pull("reopened")),
    ("pull_request", pull("edited", sender="alice")),
    ("pull_request", pull("edited", branch="feature")),
    ("pull_request", pull("opened", home=2)),
    ("pull_request_approved", pull("reviewed")),
    ("issue_comment", comment(MARKED, sender="alice")),
    ("issue_comment", comment("hello")),
    ("issue_comment", comment(f"{MARKED}\nand more")),
    ("workflow_run", {"action": "completed"}),
]


@pytest.mark.parametrize("header", ["x-github-event", "x-gitea-event", "x-forgejo-event"])
@pytest.mark.parametrize(("event", "said"), ECHOES)
def test_what_we_did_ourselves_is_an_echo(header: str, event: str, said: object) -> None:
    kind: str = "github" if "github" in header else "gitea"
    assert is_echo(kind, {header: event}, json.dumps(said).encode(), made)


@pytest.mark.parametrize(("event", "said"), NEWS)
def test_everything_else_is_news(event: str, said: object) -> None:
    assert not is_echo("gitea", {"x-gitea-event": event}, json.dumps(said).encode(), made)


def merge(action: str, user: int = 7, target: int = 1) -> Any:  # noqa: ANN401  # JSON
    attributes = {"author_id": 7, "action": action, "source_branch": "sluice/p/t/chat"}
    attributes |= {"source_project_id": 1, "target_project_id": target}
    return {
        "object_kind": "merge_request",
        "user": {"id": user},
        "object_attributes": attributes,
    }


def note(text: str, user: int = 7) -> Any:  # noqa: ANN401  # JSON
    said = {"user": {"id": user}, "merge_request": {"author_id": 7}}
    return {"object_kind": "note", "object_attributes": {"note": text}, **said}


@pytest.mark.parametrize(
    ("said", "echo"),
    [
        ({"object_kind": "push", **push(COMMIT)}, True),
        ({"object_kind": "push", **push("d" * 40)}, False),
        (merge("open"), True),
        (merge("update"), True),
        (merge("update", user=8), False),
        (merge("update", target=2), False),
        (merge("merge"), False),
        (merge("close"), False),
        (merge("approved"), False),
        (note(MARKED), True),
        (note(MARKED, user=8), False),
        (note("hello"), False),
        ({"object_kind": "pipeline", "builds": [{"name": "sluice/gates"}]}, True),
        ({"object_kind": "pipeline", "builds": [{"name": "sluice/gates"}, {"name": "b"}]}, False),
        ({"object_kind": "pipeline", "builds": []}, False),
    ],
)
def test_gitlab_in_its_words(said: object, *, echo: bool) -> None:
    assert is_echo("gitlab", {}, json.dumps(said).encode(), made) is echo


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"ref": 1}', b'{"object_kind": []}', b"[" * 100_000]
)
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_what_cannot_be_read_is_news(kind: str, body: bytes) -> None:
    assert not is_echo(kind, {"x-github-event": "push"}, body, made)


@pytest.mark.parametrize(
    ("commit", "signed", "accepted", "is_news"),
    [(COMMIT, True, True, False), ("d" * 40, True, True, True), (COMMIT, False, False, True)],
)
def test_only_what_is_believed_can_be_an_echo(
    commit: str,
    signed: bool,  # noqa: FBT001  # a parameter of the test
    accepted: bool,  # noqa: FBT001  # as above
    is_news: bool,  # noqa: FBT001  # as above
) -> None:
    body = json.dumps(push(commit)).encode()
    name = hmac.new(b"secret" if signed else b"guessed", body, sha256).hexdigest()
    verify = read_verifiers("gitea", {FORGE_SECRET: "secret"}, lambda: 0.0, made)["forge"]
    delivery = verify({"X-Gitea-Event": "push", "X-Gitea-Signature": name}, body)
    assert (delivery.accepted, delivery.is_news) == (accepted, is_news)


def test_a_mirror_knows_what_it_pushed_before_the_answer_comes(tmp_path: Path) -> None:
    with remote_loop(tmp_path, "gitea") as loop:
        upstream, ref = loop.world().upstream, "refs/heads/sluice/a/b/c"
        upstream.refresh()
        commit, known = git.resolve(upstream.repository, MAIN), []
        loop.server.before_update = lambda: known.append(upstream.is_ours(ref, commit))
        upstream.move(ref, commit, None)
        loop.server.before_update = None
        assert known == [True]
        assert not upstream.is_ours(ref, None)
        upstream.move(ref, None, commit)
        assert upstream.is_ours(ref, None)
        assert not upstream.is_ours(MAIN, commit)
