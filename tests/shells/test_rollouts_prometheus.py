"""Rollouts judged by a real Prometheus: a recorded past, played back on the stage's clock.

A first stage with counters that are made up decides the course, since traffic follows the weight.
What was scraped of it then goes into a real server, and a second stage that asks this server has
to take the same way minute by minute.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shells.prometheus_server import prometheus, remember
from shells.stage import Metrics, Stage
from sluice.commands.rollout_observers import observers

LABELS = 'namespace="ai-inference",sluice_dev_release="chat"'
Course = list[tuple[str, int]]
Fault = Callable[[list[str]], list[str]]

pytestmark = pytest.mark.slow


def scraped(metrics: Metrics) -> list[str]:
    """Every sample as a line of OpenMetrics."""
    return [
        f'http_requests_total{{{LABELS},sluice_dev_version="{version}",pod="chat-v{version}-0",'
        f'status="{status}",job="engine"}} {value:.0f} {time:.0f}'
        for (version, status), samples in metrics.samples.items()
        for time, value in samples
    ]


@contextlib.contextmanager
def serving(folder: Path, lines: list[str]) -> Iterator[str]:
    folder.mkdir()
    remember(folder, ["# TYPE http_requests counter", *lines])
    flags = ("--storage.tsdb.retention.time=100y",)
    with prometheus(folder, "127.0.0.1:1", {}, *flags) as url:
        yield url


def course(stage: Stage, minutes: int, act: Callable[[Stage, int], None]) -> Course:
    """Where the rollout is after each minute."""
    stage.begin()
    found = []
    for minute in range(minutes):
        act(stage, minute)
        stage.tick()
        found.append(stage.state())
    return found


def nothing(_stage: Stage, _minute: int) -> None:
    """Nothing happens but requests."""


def failing(stage: Stage, _minute: int) -> None:
    stage.metrics.errors["2"] = 0.03


def restarting(stage: Stage, minute: int) -> None:
    if minute == 8:
        stage.metrics.restart("1")
    if minute == 10:
        stage.metrics.restart("2")


def replayed(
    folder: Path, minutes: int, act: Callable[[Stage, int], None], fault: Fault | None = None
) -> tuple[Course, Course, Stage]:
    """The course of the first stage, that of the second one, and the second stage."""
    first = Stage(folder / "first")
    wanted = course(first, minutes, act)
    lines = scraped(first.metrics)
    with serving(folder / "prometheus", fault(lines) if fault else lines) as url:
        second = Stage(folder / "second", address=url)
        real = observers({})
        second.metrics.ask = real.ask  # type: ignore[method-assign,assignment]
        return wanted, course(second, minutes, nothing), second


def test_seed_a_healthy_candidate_goes_on_to_everything_and_the_old_one_is_kept_warm(
    tmp_path: Path,
) -> None:
    wanted, found, stage = replayed(tmp_path, 60, nothing)
    assert found == wanted
    assert found.index(("PROMOTING", 100)) - found.index(("STEP", 10)) >= 10
    assert (found[-1], stage.version(), stage.quarantine()) == (("STABLE", 100), "2", [])
    assert found.count(("PROMOTING", 100)) >= 20


def test_seed_errors_above_one_percent_go_back_at_ten_percent(tmp_path: Path) -> None:
    wanted, found, stage = replayed(tmp_path, 40, failing)
    assert found == wanted
    assert max(weight for _, weight in found) == 10
    assert (found[-1], stage.version(), stage.quarantine()) == (("STABLE", 0), "1", ["2"])


def twice(lines: list[str]) -> list[str]:
    return [*lines, *(line.replace('job="engine"', 'job="other"') for line in lines)]


def no_numbers(lines: list[str]) -> list[str]:
    """Between the samples, some that are no number."""
    extra = []
    for line in lines[::3]:
        name, _, time = line.rsplit(" ", 2)
        extra.append(f"{name} NaN {int(time) + 7}")
    return [*lines, *extra]


@pytest.mark.parametrize("fault", [twice, no_numbers])
def test_what_is_wrong_with_single_samples_changes_nothing(tmp_path: Path, fault: Fault) -> None:
    wanted, found, _ = replayed(tmp_path, 22, failing, fault)
    assert found == wanted
    assert ("ROLLING_BACK", 0) in found


def test_counters_that_begin_anew_lose_and_invent_no_errors(tmp_path: Path) -> None:
    wanted, found, _ = replayed(tmp_path, 25, restarting)
    assert found == wanted
    assert ("PROMOTING", 100) in found


def renamed(lines: list[str]) -> list[str]:
    """As if this version of the engine did not have the metric."""
    return [line.replace("http_requests_total", "other_requests_total") for line in lines]


def test_a_metric_that_is_not_there_holds_traffic_where_it_is(tmp_path: Path) -> None:
    _, found, _ = replayed(tmp_path, 30, nothing, renamed)
    assert found[-1] == ("STEP", 10)
