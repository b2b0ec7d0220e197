"""What people and we say on a merge request of GitLab: notes, reviews and commit statuses."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from sluice.core.forge import Status, Verdict
from sluice.forges.answers import RefusedError
from sluice.forges.dialect import Comment
from sluice.forges.http import Transport
from sluice.forges.raw import MANY, Raw, fetch_or_none, quote_segment

_VERDICTS: Mapping[Verdict, str] = {
    "pending": "pending",
    "success": "success",
    "failure": "failed",
}
_VERDICT_OF = {word: verdict for verdict, word in _VERDICTS.items()}
# How notes begin by which GitLab tells that a merge is left to it, and that this was taken back.
_DELEGATED, _WITHDRAWN = "enabled an automatic merge", "canceled the automatic merge"


class Conversation:
    """The calls about what is said; see Dialect."""

    def __init__(self, http: Transport, project: str) -> None:
        self._http = http
        self._root = f"/projects/{quote_segment(project)}"
        self._requests = f"{self._root}/merge_requests"

    def find_withdrawer(self, number: int) -> str:
        """Who took a later merge back last; GitLab tells it in notes of its own."""
        name = ""
        for raw in self._list_notes(number):
            with self._http.reading():
                note = str(raw["body"]) if raw.get("system") else ""
                if note.startswith(_WITHDRAWN):
                    name = read_name(raw) or "somebody"
                elif note.startswith(_DELEGATED):
                    name = ""
        return name

    def list_objectors(self, number: int) -> Collection[str]:
        """Whose last word is that they want changes; older servers do not know of such."""
        answer = fetch_or_none(self._http, f"{self._requests}/{number}/reviewers")
        with self._http.reading():
            reviewers = answer.data if answer else ()
            return [
                str(r["user"]["username"]) for r in reviewers if r["state"] == "requested_changes"
            ]

    def list_comments(self, number: int) -> Iterable[Comment]:
        """Oldest first."""
        for raw in self._list_notes(number):
            with self._http.reading():
                comment = Comment(int(raw["id"]), read_name(raw), str(raw["body"]))
            yield comment

    def _list_notes(self, number: int) -> Iterable[Raw]:
        query = {"sort": "asc", "order_by": "created_at"}
        return self._http.walk_pages(f"{self._requests}/{number}/notes", query, "per_page", MANY)

    def add_comment(self, number: int, text: str) -> None:
        """Add one; sent once only, for nothing refuses a second one."""
        path = f"{self._requests}/{number}/notes"
        self._http.call("POST", path, body={"body": text}, repeatable=False)

    def replace_comment(self, number: int, comment: int, text: str) -> None:
        """Replace one."""
        path = f"{self._requests}/{number}/notes/{comment}"
        self._http.call("PUT", path, body={"body": text})

    def delete_comment(self, number: int, comment: int) -> None:
        """Delete one; fine if it is gone."""
        try:
            self._http.call("DELETE", f"{self._requests}/{number}/notes/{comment}")
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def list_reviewers(self, number: int) -> Collection[str]:
        """Who was asked; they stay there after their review."""
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            return {str(user["username"]).lower() for user in raw.get("reviewers") or ()}

    def ask_review(self, number: int, kind: str, name: str) -> bool:
        """Ask for a review; groups cannot be asked.

        Who has no access is left out without a word, and so is a second one where only one may be.
        """
        if kind != "user":
            return False
        users = self._http.call("GET", "/users", params={"username": name}).data
        if not users:
            return False
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            # The list replaces the one before it, so those who are asked already are in it.
            reviewers = [*(raw.get("reviewers") or ()), users[0]]
            ids = {int(user["id"]) for user in reviewers}
        body = {"reviewer_ids": sorted(ids)}
        raw = self._http.call("PUT", f"{self._requests}/{number}", body=body).data
        with self._http.reading():
            return any(user["id"] == users[0]["id"] for user in raw.get("reviewers") or ())

    def find_status(self, commit: str, context: str) -> Status | None:
        """What is said of a commit in this context."""
        path = f"{self._root}/repository/commits/{commit}/statuses"
        for raw in self._http.walk_pages(path, {"name": context}, "per_page", 1):
            with self._http.reading():
                if raw["name"] == context:
                    verdict = _VERDICT_OF.get(raw["status"], "pending")
                    description = str(raw.get("description") or "")
                    url = str(raw.get("target_url") or "")
                    return Status(context, verdict, description, url)
        return None

    def set_status(self, commit: str, status: Status) -> None:
        """Say it. What is pending cannot become pending again, not even with other words."""
        body = {
            "state": _VERDICTS[status.verdict],
            "name": status.context,
            "description": status.description,
        }
        if status.url:
            body["target_url"] = status.url
        try:
            self._http.call("POST", f"{self._root}/statuses/{commit}", body=body)
        except RefusedError as error:
            # The same state again is refused, and is as good as said.
            if not error.says("cannot transition status"):
                raise


def read_name(raw: Raw) -> str:
    return str((raw.get("author") or {}).get("username") or "")
