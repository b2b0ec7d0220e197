"""Plays the gateway controller: tells of each HTTPRoute that its parents accepted it.

Ingresses and the routes of a mesh have nobody who says so, as where a controller is down.
"""

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from live.cluster import MERGE, Cluster

ROUTES = "/apis/gateway.networking.k8s.io/v1"
EVERY = 0.5


@contextlib.contextmanager
def accepting_routes(cluster: Cluster) -> Iterator[None]:
    """Accept each generation of each HTTPRoute until the end of the block."""
    done = threading.Event()

    def accept_all() -> None:
        while not done.wait(EVERY):
            with contextlib.suppress(httpx.TransportError):  # the next look sees it
                for route in cluster.ask("GET", f"{ROUTES}/httproutes").json()["items"]:
                    _accept(cluster, route)

    thread = threading.Thread(target=accept_all)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _accept(cluster: Cluster, route: Mapping[str, Any]) -> None:
    metadata = route["metadata"]
    parents = route.get("status", {}).get("parents", [])
    generations = {c.get("observedGeneration") for parent in parents for c in parent["conditions"]}
    if generations == {metadata["generation"]}:
        return
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": metadata["generation"],
            "lastTransitionTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    accepted = [
        {
            "parentRef": reference,
            "controllerName": "live.example.com/gateway",
            "conditions": conditions,
        }
        for reference in route["spec"].get("parentRefs", [])
    ]
    path = f"{ROUTES}/namespaces/{metadata['namespace']}/httproutes/{metadata['name']}/status"
    cluster.ask("PATCH", path, {"status": {"parents": accepted}}, kind=MERGE)
