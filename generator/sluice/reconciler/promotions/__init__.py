"""One cycle over all releases: what was promoted is judged, and proposed as pull requests."""
