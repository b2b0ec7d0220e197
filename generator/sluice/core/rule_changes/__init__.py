"""The rules of a repository, compared: what a change of them lets pass."""
