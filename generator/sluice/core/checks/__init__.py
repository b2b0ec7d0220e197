"""Rules on specs beyond their shape: references, engines, gates, shares, weights."""
