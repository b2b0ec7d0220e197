"""The functions that the API server adds to the expression language."""
