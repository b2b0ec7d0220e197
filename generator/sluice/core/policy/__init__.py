"""The policies of a repository, evaluated as an API server does it, without one.

`model` reads policies and bindings, `plan` compiles them for one Kubernetes version, `evaluate`
decides on objects. Nothing here reads a file, a clock or a cluster.
"""
