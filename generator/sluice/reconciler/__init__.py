"""The reconciler: what the registry promotes becomes pull requests, and rollouts move."""
