"""Everything that is asked of a forge, each as one call."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

import httpx

from sluice.core.forge import Status
from sluice.forges.remote import RemoteForge
from support.forge_fake import TOKEN, Reply, Seen, request_of
from support.forge_harness import FakeHarness

EVERY, WRITING = ".*", "^(?!GET)"


@dataclass(frozen=True)
class Failure:
    """What the server does to the calls that it strikes, and what the line must say of it."""

    name: str
    does: Reply | type[httpx.TransportError]
    says: str
    waits: bool = False  # the error says for how long


DATE = "two hours from now"
CHECK = Status("sluice/gates", "success", "2 of 2", "https://example.com/1")


@dataclass
class Bench:
    """A forge without sockets: the client's requests go straight to the fake server."""

    at: FakeHarness
    failure: Failure | None = None
    struck: str = EVERY
    sent: int = 0
    elsewhere: int = 0
    number: int = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "127.0.0.1":
            self.elsewhere += 1
        self.sent += 1
        seen = request_of(request)
        failure = self.failure
        if failure and re.search(self.struck, f"{seen.method} {seen.path}"):
            if isinstance(failure.does, Reply):
                return self.answered(seen, failure.does)
            raise failure.does(f"broken pipe at https://robot:{TOKEN}@host/", request=request)
        reply = self.at.fake.answer(seen)
        assert reply is not None
        return self.answered(seen, reply)

    def answered(self, seen: Seen, reply: Reply) -> httpx.Response:
        status, headers, content = self.at.fake.rendered(seen, reply)
        date = formatdate(self.at.time.now + 7200, usegmt=True)
        headers = {name: date if value == DATE else value for name, value in headers.items()}
        return httpx.Response(status, headers=headers, content=content)


def _create(forge: RemoteForge, bench: Bench) -> object:
    branch = f"sluice/prod/new{bench.number}"
    return forge.ensure(branch=branch, base="main", title="t", body="b", labels=["sluice"])


def _update(forge: RemoteForge, bench: Bench) -> object:
    words = {"title": f"t{bench.number}", "body": f"b{bench.number}"}
    return forge.ensure(branch=bench.at.branch, base="main", **words, labels=["sluice", "x"])


def _of_first(act: str, *more: object) -> Callable[[RemoteForge, Bench], object]:
    return lambda forge, _bench: getattr(forge, act)(1, *more)


def _at_head(act: str) -> Callable[[RemoteForge, Bench], object]:
    return lambda forge, bench: getattr(forge, act)(1, bench.at.fake.state.pulls[1].head)


OPERATIONS: dict[str, Callable[[RemoteForge, Bench], object]] = {
    "list": lambda forge, _: forge.list(),
    "get": _of_first("get"),
    "of_branch": lambda forge, bench: forge.of_branch(bench.at.branch),
    "whoami": lambda forge, _: forge.whoami(),
    "create": _create,
    "update": _update,
    "reviews": lambda forge, _: forge.request_reviews(1, ["alice"]),
    "status": lambda forge, bench: forge.set_status(bench.at.fake.state.pulls[1].head, CHECK),
    "comment": lambda forge, bench: forge.upsert_comment(1, "k", f"text {bench.number}"),
    "later": _at_head("merge_when_ready"),
    "cancel": _of_first("cancel_merge"),
    "objectors": _of_first("objectors"),
    "lost": _of_first("lost_branch"),
    "unlabel": _of_first("unlabel", "x"),
    "reword": lambda forge, bench: forge.reword(1, f"r{bench.number}", "b"),
    "settle": _of_first("settle", "1" * 40, "main has it", "told"),
    "close": _of_first("close", "no longer needed"),
    "merge": _at_head("merge"),
}
