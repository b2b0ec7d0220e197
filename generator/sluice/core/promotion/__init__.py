"""From a promoted version to what is decided about its pull request: wants, facts, texts."""
