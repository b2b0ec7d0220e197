"""What whoever asks may do in a cluster, as the API server itself says."""

from sluice.cluster.connection import TIMEOUT, connect


def is_allowed(context: str | None, verb: str, resource: str, namespace: str) -> bool:
    """Whether a verb is allowed there; a SelfSubjectAccessReview, which leaves no trace.

    Args:
        context: of the kubeconfig; None is the current one, or the cluster that we are in.
        verb: `list` or `patch`, for instance.
        resource: its plural and its group, as `applications.argoproj.io`.
        namespace: where.

    Raises:
        UsageError: when the cluster does not say.
    """
    from kubernetes import client  # noqa: PLC0415  # slow, and seldom wanted

    plural, _, group = resource.partition(".")
    attributes = client.V1ResourceAttributes(
        verb=verb, resource=plural, group=group, namespace=namespace
    )
    body = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    )
    with connect(context, "cannot ask what is allowed") as api:
        answer = client.AuthorizationV1Api(api).create_self_subject_access_review(
            body, _request_timeout=(TIMEOUT, TIMEOUT)
        )
    return answer.status is not None and answer.status.allowed
