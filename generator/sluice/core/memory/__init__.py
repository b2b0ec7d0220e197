"""What a model takes of a device: weights, cache, activations; numbers only."""
