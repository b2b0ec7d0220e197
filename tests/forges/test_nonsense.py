"""Answers that are JSON of the right form in most places, and nonsense in one."""

import functools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.core.finding import UsageError
from support.forge_fake import Reply, request_of
from support.forge_harness import FakeHarness, connected, faked
from support.forge_nonsense import NONSENSE
from support.forge_operations import OPERATIONS, Bench


def spoiled(chance: random.Random, value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the value with one thing in it replaced, or gone."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if chance.random() < 0.2 else {**rest, key: spoiled(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return [*value[:at], spoiled(chance, value[at]), *value[at + 1 :]]
    return chance.choice(NONSENSE)


def _server(at: FakeHarness, chance: random.Random) -> Callable[[httpx.Request], httpx.Response]:
    def handle(request: httpx.Request) -> httpx.Response:
        seen = request_of(request)
        reply = at.fake.answer(seen) or Reply()
        status, headers, _ = at.fake.rendered(seen, Reply(reply.status))
        spoil = reply.status < 400 and chance.random() < 0.5
        data = spoiled(chance, reply.data) if spoil else reply.data
        headers.pop("ETag", None)
        return httpx.Response(status, headers=headers, content=json.dumps(data).encode())

    return handle


@pytest.mark.parametrize("seed", [5, pytest.param(7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_nonsense_in_an_answer_is_one_line_at_most(
    kind: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    with faked(kind, tmp_path) as at:
        bench = Bench(at)
        server = httpx.MockTransport(_server(at, chance))
        for number in range(3 if seed == 5 else 15):
            bench.number = number
            at.push({"b": b"%d\n" % number}, f"sluice/prod/new{number}")
            for name, act in OPERATIONS.items():
                at.push({"a": f"{number} {name}\n".encode()})
                at.propose()
                with monkeypatch.context() as patched:
                    client = functools.partial(httpx.Client, transport=server)
                    patched.setattr("sluice.forges.wire.httpx.Client", client)
                    forge = connected(kind, at.fake, at.time)
                try:
                    act(forge, bench)
                except UsageError as error:
                    assert len(str(error).splitlines()) == 1  # noqa: PT017 - or none is raised
                at.fake.state.pulls[1].state = "open"
        at.fake.violations.clear()  # who is told nonsense may ask for it
