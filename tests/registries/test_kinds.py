"""A kind of registry is one record: its addresses open it, and the refusal of others names it."""

import pytest

from sluice import registries
from sluice.core.finding import UsageError
from sluice.registries import KINDS, RegistryKind, open_registry
from sluice.registries.file import FileRegistry

HUB = RegistryKind(
    client="sluice.registries.file:FileRegistry", schemes=("hub",), bare=("hub",), form="hub:NAME"
)


@pytest.fixture(autouse=True)
def _hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "KINDS", (*KINDS, HUB))


@pytest.mark.parametrize("address", ["hub:models", "HUB:models", "hub"])
def test_a_record_is_enough_to_open_a_registry(address: str) -> None:
    assert isinstance(open_registry(address), FileRegistry)


def test_a_refusal_names_every_form() -> None:
    with pytest.raises(UsageError) as caught:
        open_registry("gopher:models")
    assert all(kind.form in str(caught.value) for kind in (*KINDS, HUB))


def test_each_scheme_belongs_to_one_record() -> None:
    schemes = [scheme for kind in KINDS for scheme in kind.schemes]
    assert len(schemes) == len(set(schemes))
    assert all(set(kind.bare) <= set(kind.schemes) for kind in KINDS)
