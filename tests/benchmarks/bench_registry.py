"""Watching a real server with 10,000 models of 10 versions: requests and seconds of each look."""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sluice.registries import open_registry
from sluice.registries.filling import Filler
from sluice.registries.server import serve_registry
from sluice.registries.watch import Watch, watch_registry

MODELS, VERSIONS, MANAGED, PROMOTED = 10_000, 10, 400, 120
_BEGAN = 1_700_000_000_000


def run() -> dict[str, tuple[float, int]]:
    """Seconds and requests of each look."""
    with tempfile.TemporaryDirectory() as folder, serve_registry(Path(folder)) as url:
        Filler(url).register("model-00000", "pvc://models/0", {}, {})
        _fill(Path(folder) / "registry.db")
        watch = watch_registry(open_registry(url))
        assert isinstance(watch, Watch)
        names = {f"model-{number:05}" for number in range(1, MANAGED + 1)}
        looks: dict[str, Callable[[], object]] = {
            "the first look": lambda: watch.versions(names, ()),
            "an idle look, stages": lambda: watch.versions(names, ()),
            "an idle look, stages and aliases": lambda: watch.versions(names, names),
        }
        measured = {what: _timed(watch, look) for what, look in looks.items()}
        _promote(Path(folder) / "registry.db", sorted(names)[:PROMOTED])
        found: list[int] = []
        measured[f"{PROMOTED} promotions"] = _timed(
            watch, lambda: found.append(_promoted(watch.versions(names, ())))
        )
        assert found == [PROMOTED]
        return measured


def _promoted(seen: object) -> int:
    assert isinstance(seen, dict)
    return sum(any(v.stage == "Production" for v in versions) for versions in seen.values())


def _timed(watch: Watch, look: Callable[[], object]) -> tuple[float, int]:
    before, began = sum(watch.calls.values()), time.perf_counter()
    look()
    return time.perf_counter() - began, sum(watch.calls.values()) - before


def _fill(path: Path) -> None:
    """Copy the one model that the server made, row for row."""
    with sqlite3.connect(path) as database:
        _copy(database, "registered_models", lambda number: [{"creation_time": _BEGAN + number}])
        _copy(database, "model_versions", lambda _: [{"version": n + 1} for n in range(VERSIONS)])


def _copy(
    database: sqlite3.Connection, table: str, rows: Callable[[int], list[dict[str, int]]]
) -> None:
    cursor = database.execute(f"SELECT * FROM {table} WHERE name = 'model-00000'")  # noqa: S608  # our own names
    columns = [column[0] for column in cursor.description]
    like = dict(zip(columns, cursor.fetchone(), strict=True))

    def made() -> Iterator[list[object]]:
        for number in range(1, MODELS + 1):
            for row in rows(number):
                dated = {"last_updated_time": _BEGAN + number, **row}
                changed = {**like, "name": f"model-{number:05}", "storage_location": None, **dated}
                yield [changed[column] for column in columns]

    marks = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO {table} VALUES ({marks})", made())  # noqa: S608  # as above


def _promote(path: Path, names: list[str]) -> None:
    now = int(time.time() * 1000) + 60_000
    with sqlite3.connect(path) as database:
        for name in names:
            database.execute(
                "UPDATE registered_models SET last_updated_time = ? WHERE name = ?", (now, name)
            )
            database.execute(
                "UPDATE model_versions SET last_updated_time = ?, current_stage = 'Production' "
                "WHERE name = ? AND version = 10",
                (now, name),
            )


def report(measured: dict[str, tuple[float, int]]) -> list[str]:
    """The numbers; a look is one or more requests to the server."""
    return [f"{what}: {s:.2f} s, {looks} looks" for what, (s, looks) in measured.items()]
