"""What people and we say on a pull request, where it is as GitHub has introduced it."""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from sluice.core.forge import PullRequest, Status, Verdict
from sluice.forges.answers import RefusedError
from sluice.forges.dialect import Comment
from sluice.forges.http import PAGE, Transport
from sluice.forges.raw import MANY, Raw

# What a review may say that counts until the same person says something else. Comments do not.
# Gitea calls what GitHub calls CHANGES_REQUESTED otherwise.
_OBJECTIONS = frozenset({"CHANGES_REQUESTED", "REQUEST_CHANGES"})
_VERDICTS = _OBJECTIONS | {"APPROVED", "DISMISSED"}


class Conversation:
    """The calls about comments, reviews and commit statuses; see Dialect."""

    _size: ClassVar[str]  # the parameter that sets the size of a page
    _verdict: ClassVar[str]  # where a commit status has its state

    def __init__(self, http: Transport, repository: str) -> None:
        self._http = http
        self._root = f"/repos/{quote(repository)}"

    def list_comments(self, number: int) -> Iterable[Comment]:
        """Oldest first."""
        path = f"{self._root}/issues/{number}/comments"
        for raw in self._http.walk_pages(path, {}, self._size, MANY):
            with self._http.reading():
                comment = Comment(int(raw["id"]), read_login(raw), str(raw.get("body") or ""))
            yield comment

    def add_comment(self, number: int, text: str) -> None:
        """Add one; sent once only, for nothing refuses a second one."""
        path = f"{self._root}/issues/{number}/comments"
        self._http.call("POST", path, body={"body": text}, repeatable=False)

    def replace_comment(self, number: int, comment: int, text: str) -> None:  # noqa: ARG002 - others need it
        """Replace one."""
        self._http.call("PATCH", f"{self._root}/issues/comments/{comment}", body={"body": text})

    def delete_comment(self, number: int, comment: int) -> None:  # noqa: ARG002 - others need it
        """Delete one; fine if it is gone."""
        self._delete_if_there(f"{self._root}/issues/comments/{comment}")

    def list_reviewers(self, number: int) -> Collection[str]:
        """Who was asked or has reviewed: nobody is asked again by us."""
        path = f"{self._root}/pulls/{number}"
        raw = self._http.call("GET", path).data
        reviews = self._http.walk_pages(f"{path}/reviews", {}, self._size, MANY)
        with self._http.reading():
            requested = {str(user["login"]) for user in raw.get("requested_reviewers") or ()}
            teams = raw.get("requested_reviewers_teams") or raw.get("requested_teams") or ()
            for team in teams:
                requested.add(str(team.get("slug") or team["name"]))
            names = requested | {read_login(review) for review in reviews}
            return {name.lower() for name in names}

    def list_objectors(self, number: int) -> Collection[str]:
        """Whose last word is that they want changes; a comment is no word on it."""
        last: dict[str, bool] = {}
        path = f"{self._root}/pulls/{number}/reviews"
        for raw in self._http.walk_pages(path, {}, self._size, MANY):
            with self._http.reading():
                state = str(raw["state"])
                if state in _VERDICTS:
                    last[read_login(raw)] = state in _OBJECTIONS and not raw.get("dismissed")
        return [name for name, objects in last.items() if objects]

    def ask_review(self, number: int, kind: str, name: str) -> bool:
        """Ask for a review."""
        field = "reviewers" if kind == "user" else "team_reviewers"
        body = {field: [name]}
        self._http.call("POST", f"{self._root}/pulls/{number}/requested_reviewers", body=body)
        return True

    def find_status(self, commit: str, context: str) -> Status | None:
        """What is said of a commit in this context."""
        path, count = f"{self._root}/commits/{commit}/status", 0
        for page in range(1, MANY + 1):
            answer = self._http.call("GET", path, params={self._size: PAGE, "page": page})
            with self._http.reading():
                statuses = answer.data["statuses"] or ()
                count += len(statuses)
                for raw in statuses:
                    if raw["context"] == context:
                        return self._read_status(raw)
                if not statuses or count >= answer.data.get("total_count", 0):
                    break
        return None

    def set_status(self, commit: str, status: Status) -> None:
        """Say it."""
        body = {
            "state": status.verdict,
            "context": status.context,
            "description": status.description,
        }
        if status.url:
            body["target_url"] = status.url
        self._http.call("POST", f"{self._root}/statuses/{commit}", body=body)

    def _list_approvers(self, pull: PullRequest) -> Collection[str]:
        """Whose last word on this head is that it may be merged."""
        verdicts: dict[str, str] = {}
        path = f"{self._root}/pulls/{pull.number}/reviews"
        for raw in self._http.walk_pages(path, {}, self._size, MANY):
            with self._http.reading():
                state = str(raw.get("state") or "")
                if state in _VERDICTS and not raw.get("dismissed"):
                    verdicts[read_login(raw)] = state
        return {name for name, state in verdicts.items() if state == "APPROVED"}

    def _delete_if_there(self, path: str) -> None:
        """Delete what may be gone already."""
        try:
            self._http.call("DELETE", path)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _read_status(self, raw: Raw) -> Status:
        state = raw[self._verdict]
        # All others, such as "error" and "warning", are no success.
        verdict: Verdict = state if state in ("pending", "success") else "failure"
        description = str(raw.get("description") or "")
        url = str(raw.get("target_url") or "")
        return Status(str(raw["context"]), verdict, description, url)


def read_login(raw: Raw) -> str:
    """Return the name of the account behind something; accounts can be deleted."""
    return str((raw.get("user") or {}).get("login") or "")
