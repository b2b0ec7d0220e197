"""Findings for people and machines: formats, pages, waivers, fixes."""
