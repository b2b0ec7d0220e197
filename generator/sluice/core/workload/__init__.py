"""A resolved release to its objects: command lines, weights, placement, scaling, routes."""
