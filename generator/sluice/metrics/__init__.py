"""Measurements, from Prometheus: whole answers within limits, or none."""
