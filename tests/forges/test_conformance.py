"""What every forge must do, told by each of them in its own dialect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import forge_conformance
from support.forge_harness import KINDS, Harness, harness_of

globals().update(forge_conformance.TESTS)


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    with harness_of(str(request.param), tmp_path) as harness:
        yield harness
