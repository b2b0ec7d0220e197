"""The expression language of Kubernetes: its engine, its libraries, its types and costs."""
