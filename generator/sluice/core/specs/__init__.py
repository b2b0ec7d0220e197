"""Specs: read with positions, checked against their schemas, merged with defaults, and edited."""
