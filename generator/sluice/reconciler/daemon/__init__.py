"""The loop that runs cycles and ticks, and its small server."""
