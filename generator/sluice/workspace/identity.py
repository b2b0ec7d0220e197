"""Who Sluice is to Git: its name, and the branch that it works on."""

from sluice.core.model import Signature
from sluice.core.promotion.branches import BASE

MAIN = f"refs/heads/{BASE}"


AUTHOR = Signature("Sluice", "reconciler@sluice.dev")
