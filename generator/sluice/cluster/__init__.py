"""What is asked of a cluster: its version, Argo CD's applications, routes, rights and policies.

It changes one thing there: it may ask Argo CD to look at Git now. Where that is switched on it also
ends a sync that keeps Argo CD from doing so.
"""
