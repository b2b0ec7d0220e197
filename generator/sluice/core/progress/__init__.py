"""Rollouts under way: what is seen of them, how they go on, and how they go back."""
