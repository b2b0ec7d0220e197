"""The statistics of a rollout: what is counted of both versions, and what the counts speak for."""
