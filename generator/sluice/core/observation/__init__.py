"""What is seen of a rollout under way: by Argo CD, by the routes and by Prometheus."""
