"""Raw samples from a real Prometheus that scrapes a synthetic engine."""

import math
import time
from collections.abc import Iterator

import pytest

from sluice.core.analysis import samples
from sluice.core.analysis.queries import (
    Question,
    arm_labels,
    bounds_of,
    buckets,
    check_bound,
    promql,
)
from sluice.core.finding import UsageError
from sluice.metrics.prometheus import Answer, Prometheus
from support.prometheus_server import Engine, exporter, prometheus, wait_until

pytestmark = pytest.mark.server

LABELS = {
    "namespace": "ai",
    "pod": "chat-v8-a",
    "sluice_dev_release": "chat",
    "sluice_dev_version": "8",
}
ARM = arm_labels("ai", "chat", "8")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with (
        exporter(engine) as target,
        prometheus(tmp_path_factory.mktemp("prometheus"), target, LABELS) as url,
        Prometheus(url, {}) as client,
    ):
        yield client


def ask(server: Prometheus, question: Question, window: int = 600) -> Answer:
    return server.query(promql(question, window), time.time())


def scraped(server: Prometheus, engine: Engine, total: int) -> None:
    """Wait until the latest sample has what the engine says now."""
    question = Question("engine:ttft_seconds_count", ARM)

    def arrived() -> bool:
        found = ask(server, question).series
        return bool(found) and found[0].samples[-1][1] == total

    wait_until(arrived)


def test_slow_and_failed_requests_are_counted_across_a_restart(
    server: Prometheus, engine: Engine
) -> None:
    engine.restart()
    wait_until(lambda: bool(ask(server, Question("engine:ttft_seconds_count", ARM)).series))
    before = engine.scrapes
    wait_until(lambda: engine.scrapes > before + 1)
    start = math.ceil(time.time())
    wait_until(lambda: time.time() > start)
    engine.serve(quick=70, slow=30, failed=4)
    scraped(server, engine, 100)
    engine.restart()
    scraped(server, engine, 0)
    engine.serve(quick=8, slow=2, failed=1)
    scraped(server, engine, 10)
    end = math.ceil(time.time())
    wait_until(lambda: time.time() > end)
    grid, now = [start, end], time.time()
    slow = samples.slow(ask(server, buckets("engine:ttft_seconds", 1, ARM)).series, 1, grid, now)
    assert slow == ({"chat-v8-a": [110]}, {"chat-v8-a": [32]})
    every = ask(server, Question("http_requests_total", ARM)).series
    failed = ask(server, Question("http_requests_total", {**ARM, "status": ("5xx",)})).series
    assert samples.ratio(every, failed, grid, now) == ({"chat-v8-a": [110]}, {"chat-v8-a": [5]})


def test_the_bounds_of_buckets_can_be_asked_for(server: Prometheus, engine: Engine) -> None:
    wait_until(lambda: bool(ask(server, Question("engine:ttft_seconds_bucket", ARM)).series))
    known = bounds_of(ask(server, Question("engine:ttft_seconds_bucket", ARM)).series)
    assert known == {0.5, 1.0, 2.5, math.inf}
    assert check_bound(2.0, known) == "2 is not the bound of a bucket; 1 or 2.5 is"


def test_samples_that_are_no_numbers_arrive_as_such(server: Prometheus, engine: Engine) -> None:
    question = Question("engine:nothing", ARM)
    wait_until(lambda: bool(ask(server, question).series))
    found = ask(server, question).series
    assert all(math.isnan(value) for _, value in found[0].samples)
    assert samples.increases(found, [0, int(time.time())], time.time())["chat-v8-a"] == [None]


@pytest.mark.parametrize(
    "question",
    [
        Question("engine:no_such_metric", ARM),
        Question("engine:ttft_seconds_count", {**ARM, "sluice_dev_version": ("9",)}),
        Question("engine:ttft_seconds_count", {**ARM, "pod": ('x"} or up{job!="',)}),
        Question("engine:ttft_seconds_count", {**ARM, "pod": (".*", "chat.v8.a")}),
    ],
)
def test_what_is_not_there_is_empty_and_no_error(server: Prometheus, question: Question) -> None:
    assert ask(server, question) == Answer([])


def test_a_query_that_is_none_is_refused_in_one_line(server: Prometheus) -> None:
    with pytest.raises(UsageError, match=r"refuses the query: .*parse error"):
        server.query("up{", time.time())


def test_the_server_says_its_version(server: Prometheus) -> None:
    assert server.read_version()[0].isdigit()
