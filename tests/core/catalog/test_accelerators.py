"""Accelerators as data: the facts by which a model fits are stated twice, and agree."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support import trees

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("accelerators.yaml").read_text("utf-8")
)
FOLDER = trees.ROOT / "generator" / "sluice" / "catalog" / "accelerators"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_accelerator_is_what_the_table_says(path: Path) -> None:
    entry = yaml.safe_load(path.read_text("utf-8"))
    assert path.stem in TABLE, f"{path.stem}: add a line to tests/core/catalog/accelerators.yaml"
    assert {key: entry[key] for key in TABLE[path.stem]} == TABLE[path.stem]


def test_the_table_has_no_accelerator_that_is_gone() -> None:
    assert set(TABLE) == {path.stem for path in FOLDER.glob("*.yaml")}
