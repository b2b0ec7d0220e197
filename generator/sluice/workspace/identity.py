"""Who Sluice is to Git: its name, and the branch that it works on."""

from sluice.core.model import Signature
from sluice.core.promotion.branches import BASE, ref_of

MAIN = ref_of(BASE)


AUTHOR = Signature("Sluice", "reconciler@sluice.dev")
