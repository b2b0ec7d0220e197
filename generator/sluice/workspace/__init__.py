"""A repository as commands see it: its files, its revisions, and whom it works with."""
