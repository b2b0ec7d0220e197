"""Webhooks as each kind of forge signs them."""

import hmac
from hashlib import sha256

SECRET = "canary-webhook-secret"  # noqa: S105 - of a test
BODY = '{"ref": "refs/heads/main", "é": 1}'.encode()
HEX = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()

SIGNED: list[tuple[str, dict[str, str]]] = [
    ("github", {"X-Hub-Signature-256": f"sha256={HEX}", "X-GitHub-Delivery": "d1"}),
    ("gitea", {"X-Gitea-Signature": HEX, "X-Gitea-Delivery": "d1"}),
    ("gitea", {"X-Hub-Signature-256": f"sha256={HEX}", "X-Gitea-Delivery": "d1"}),
    ("forgejo", {"X-Forgejo-Signature": HEX, "X-Forgejo-Delivery": "d1"}),
    ("forgejo", {"X-Gitea-Signature": HEX, "X-Gitea-Delivery": "d1"}),
    ("gitlab", {"X-Gitlab-Token": SECRET, "X-Gitlab-Event-UUID": "d1"}),
]
