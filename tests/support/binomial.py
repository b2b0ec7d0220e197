"""Binomial counts from a seeded source."""

import math
import random


def binomial(chance: random.Random, count: int, rate: float) -> int:
    """How many of `count` trials succeed, by the waiting times between successes."""
    if count <= 0 or rate <= 0:
        return 0
    found, position, scale = 0, 0, math.log1p(-rate)
    while True:
        position += int(math.log(1 - chance.random()) / scale) + 1
        if position > count:
            return found
        found += 1
