"""The cluster's own rules on rendered objects: strict schemas, semantics, deprecations."""
