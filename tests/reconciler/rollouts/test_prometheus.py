"""Rollouts judged by a real Prometheus: a recorded past, played back on the stage's clock.

A first stage with counters that are made up decides the course, since traffic follows the weight.
What was scraped of it then goes into a real server, and a second stage that asks this server has
to take the same way minute by minute.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.core.analysis.samples import Series
from sluice.reconciler.rollouts.observers import open_observers
from support.prometheus_server import prometheus, remember
from support.stage import Metrics, Stage

LABELS = 'namespace="ai-inference",sluice_dev_release="chat"'
EDGE = "istio_requests_total"
RESTARTED = "kube_pod_container_status_restarts_total"
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
def serving(folder: Path, lines: list[str], more: str = "") -> Iterator[str]:
    folder.mkdir()
    remember(folder, ["# TYPE http_requests counter", *lines])
    flags = ("--storage.tsdb.retention.time=100y",)
    with prometheus(folder, "127.0.0.1:1", {}, *flags, more=more) as url:
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


def refusing(stage: Stage, _minute: int) -> None:
    stage.metrics.refused["2"] = 0.03


def hanging(stage: Stage, minute: int) -> None:
    """From then on the candidate answers nobody, and its counters stand still."""
    if minute >= 6:
        stage.routed = 0


def unscraped(stage: Stage, minute: int) -> None:
    """Half of the step is not scraped."""
    stage.metrics.scraping = not 6 <= minute < 26


def restarting(stage: Stage, minute: int) -> None:
    if minute == 8:
        stage.metrics.restart("1")
    if minute == 10:
        stage.metrics.restart("2")


def replayed(
    folder: Path,
    minutes: int,
    act: Callable[[Stage, int], None],
    fault: Fault | None = None,
    *,
    more: str = "",
    behind: int = 0,
) -> tuple[Course, Course, Stage]:
    """The course of the first stage, that of the second one, and the second stage.

    `more` is configuration of the server; `behind` is by how much its clock lags, in seconds.
    """
    first = Stage(folder / "first")
    wanted = course(first, minutes, act)
    lines = scraped(first.metrics)
    with serving(folder / "prometheus", fault(lines) if fault else lines, more) as url:
        second = Stage(folder / "second", address=url, gateway="istio")
        real = open_observers({})

        def ask(address: str, query: str, time: float) -> list[Series]:
            """What it has scraped by then, and not what it will have."""
            return [
                (labels, [s for s in samples if s[0] <= time - behind])
                for labels, samples in real.ask(address, query, time)
            ]

        second.metrics.ask = ask  # type: ignore[method-assign]
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


def test_refusals_of_the_candidate_go_back(tmp_path: Path) -> None:
    wanted, found, stage = replayed(tmp_path, 30, refusing)
    assert found == wanted
    assert ("ROLLING_BACK", 0) in found
    assert any("refusals: any" in line for line in stage.log)


def test_a_candidate_that_answers_nobody_loses_its_weight(tmp_path: Path) -> None:
    wanted, found, stage = replayed(tmp_path, 30, hanging)
    assert found == wanted
    assert (found[-1], stage.quarantine()) == (("PAUSED", 0), [])


def test_half_a_step_without_samples_makes_it_longer(tmp_path: Path) -> None:
    wanted, found, stage = replayed(tmp_path, 40, unscraped)
    assert found == wanted
    assert found.index(("PROMOTING", 100)) >= 26
    assert any("of which nothing was counted for" in line for line in stage.log)


def at_the_edge(lines: list[str]) -> list[str]:
    """What the router counts of the same requests: 404 for each twentieth of the candidate's."""
    counted: dict[str, list[str]] = {}
    for line in lines:
        if 'status="2xx"' not in line:
            continue
        name, value, time = line.rsplit(" ", 2)
        candidate = 'sluice_dev_version="2"' in name
        service = f'destination_service_name="chat-v{2 if candidate else 1}"'
        labels = f'{service},destination_service_namespace="ai-inference",reporter="source"'
        unknown = int(value) // 20 if candidate else 0
        for status, count in (("200", int(value) - unknown), ("404", unknown)):
            series = f'{EDGE}{{{labels},pod="router-0",response_code="{status}"}}'
            counted.setdefault(series, []).append(f"{series} {count} {time}")
    told = [line for each in counted.values() for line in each]
    return [*lines, f"# TYPE {EDGE.removesuffix('_total')} counter", *told]


def crashing(lines: list[str]) -> list[str]:
    """The cluster's own word that the candidate's container restarted twice."""
    times = [int(line.rsplit(" ", 1)[1]) for line in lines if 'sluice_dev_version="2"' in line]
    labels = 'namespace="ai-inference",pod="chat-v2-7d9f8c6b5-x2x7q",container="engine"'
    last = sorted(set(times))
    found = []
    for index, time in enumerate(last):
        count = sum(index >= at for at in (60, 70))
        found.append(f"{RESTARTED}{{{labels}}} {count} {time}")
    return [*lines, f"# TYPE {RESTARTED.removesuffix('_total')} counter", *found]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (at_the_edge, "refusals: unknown at the gateway"),
        (crashing, "the candidate restarted 2 times in this step"),
    ],
)
def test_what_the_router_and_the_cluster_tell_is_read_beside_the_engine(
    tmp_path: Path, fault: Fault, words: str
) -> None:
    wanted, found, stage = replayed(tmp_path, 25, nothing, fault)
    assert ("PROMOTING", 100) in wanted
    assert ("ROLLING_BACK", 0) in found
    assert any(words in line for line in stage.log)


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


REMOTE = """
remote_read:
  - {url: "http://127.0.0.1:1/read", read_recent: true, remote_timeout: 1s}
"""


def test_an_answer_that_is_only_a_part_is_not_judged_and_said(tmp_path: Path) -> None:
    """A store behind the server does not answer, so that samples may be missing."""
    _, found, stage = replayed(tmp_path, 16, failing, more=REMOTE)
    assert found[-1] == ("WARMING", 0)
    assert "gives only a part of the data: remote_read" in stage.log[-1]


def shifted(seconds: int) -> Fault:
    """As if the clock of the server went ahead by this much."""

    def fault(lines: list[str]) -> list[str]:
        parts = (line.rsplit(" ", 1) for line in lines)
        return [f"{name} {int(time) + seconds}" for name, time in parts]

    return fault


@pytest.mark.parametrize("seconds", [120, 600, -60, -600])
def test_a_clock_of_the_server_that_is_wrong_promotes_nothing_early(
    tmp_path: Path, seconds: int
) -> None:
    behind = max(0, -seconds)
    wanted, found, _ = replayed(tmp_path, 40, nothing, shifted(seconds), behind=behind)
    full = ("PROMOTING", 100)
    assert full in wanted
    assert found.index(("STEP", 10)) == wanted.index(("STEP", 10))
    assert full not in found[: wanted.index(full)]
    assert ("ROLLING_BACK", 0) not in found


@pytest.mark.parametrize("seconds", [120, -60])
def test_a_clock_of_the_server_that_is_wrong_keeps_no_bad_candidate(
    tmp_path: Path, seconds: int
) -> None:
    behind = max(0, -seconds)
    _, found, _ = replayed(tmp_path, 30, failing, shifted(seconds), behind=behind)
    assert ("ROLLING_BACK", 0) in found
    assert max(weight for _, weight in found) == 10
