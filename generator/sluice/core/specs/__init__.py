"""Specs: checked against their schemas, merged with defaults, each value with its place."""
