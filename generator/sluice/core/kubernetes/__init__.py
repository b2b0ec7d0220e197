"""The cluster's own rules on objects: strict schemas, semantics, defaults, deprecations."""
