"""One tick over all rollouts: what the cluster and Prometheus tell moves a weight, or nothing."""
