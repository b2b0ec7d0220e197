"""What a replica gets, what an environment may use, and whether a model fits."""
