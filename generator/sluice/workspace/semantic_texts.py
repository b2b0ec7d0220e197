"""The texts of semantic rules, as the package carries them; apart from what `validate` loads."""

from functools import lru_cache, partial

from sluice.core.kubernetes.rules import Rules
from sluice.system import resources


@lru_cache(maxsize=1)
def read_semantic_rules() -> Rules:
    """The rules about objects; nothing is read before one of them is broken."""
    return Rules(partial(resources.read_catalog_file, "rules/sem"))
