"""From a promoted version to a pull request: gates, evidence, lineage, texts."""
