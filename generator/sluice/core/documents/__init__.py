"""YAML and JSON that people wrote: read with places and within limits, edited, and written."""
