"""Which shape belongs to which kind: the one table of all rules about single objects."""

from sluice.core.kubernetes.rules import (
    access,
    canaries,
    configuration,
    delivery,
    ingress,
    jobs,
    keda,
    metadata,
    pods,
    routes,
    scaling,
    services,
    workloads,
)
from sluice.core.kubernetes.rules.shape import Root, node

_UNKNOWN: Root = ({"metadata": metadata.METADATA}, ())
_INGRESS: Root = (
    {
        "metadata": node(
            {"labels": metadata.LABELS},
            *metadata.OF_METADATA,
            ingress.check_annotations,
            ingress.check_weight,
        ),
        "spec": ingress.INGRESS,
    },
    (ingress.check_one_class,),
)
_GROUP_OF_PODS = node(
    {
        "leaderWorkerTemplate": node(
            {"leaderTemplate": pods.TEMPLATE, "workerTemplate": pods.TEMPLATE}
        )
    }
)

_SHAPES: dict[tuple[str, str], Root] = {
    ("v1", "Pod"): ({"spec": pods.POD_SPEC}, ()),
    ("v1", "Service"): ({"spec": services.SERVICE}, ()),
    ("v1", "ConfigMap"): configuration.CONFIG_MAP,
    ("v1", "Secret"): configuration.SECRET,
    ("v1", "PersistentVolumeClaim"): ({"spec": configuration.CLAIM}, ()),
    ("v1", "ResourceQuota"): ({"spec": configuration.QUOTA}, ()),
    ("v1", "LimitRange"): ({"spec": configuration.LIMIT_RANGE}, ()),
    ("apps/v1", "Deployment"): ({"spec": workloads.DEPLOYMENT}, ()),
    ("apps/v1", "ReplicaSet"): ({"spec": workloads.REPLICA_SET}, ()),
    ("apps/v1", "DaemonSet"): ({"spec": workloads.DAEMON_SET}, ()),
    ("apps/v1", "StatefulSet"): ({"spec": workloads.STATEFUL_SET}, ()),
    ("batch/v1", "Job"): ({"spec": jobs.JOB}, ()),
    ("batch/v1", "CronJob"): ({"spec": jobs.CRON_JOB}, ()),
    ("autoscaling/v1", "HorizontalPodAutoscaler"): ({"spec": scaling.OLD_AUTOSCALER}, ()),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): ({"spec": scaling.AUTOSCALER}, ()),
    ("policy/v1", "PodDisruptionBudget"): ({"spec": scaling.BUDGET}, ()),
    ("networking.k8s.io/v1", "Ingress"): _INGRESS,
    ("networking.k8s.io/v1", "NetworkPolicy"): ({"spec": services.NETWORK_POLICY}, ()),
    ("scheduling.k8s.io/v1", "PriorityClass"): configuration.PRIORITY_CLASS,
    **{
        ("rbac.authorization.k8s.io/v1", kind): shape
        for kind, shape in {
            "Role": access.ROLE,
            "ClusterRole": access.ROLE,
            "RoleBinding": access.BINDING,
            "ClusterRoleBinding": access.BINDING,
        }.items()
    },
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): ({"spec": routes.HTTP_ROUTE}, ()),
    ("networking.istio.io/v1", "VirtualService"): ({"spec": routes.VIRTUAL_SERVICE}, ()),
    ("networking.istio.io/v1", "DestinationRule"): ({"spec": routes.DESTINATION_RULE}, ()),
    ("keda.sh/v1alpha1", "ScaledObject"): ({"spec": keda.SCALED_OBJECT}, keda.NAMED),
    ("argoproj.io/v1alpha1", "Application"): ({"spec": delivery.APPLICATION}, ()),
    ("argoproj.io/v1alpha1", "Rollout"): ({"spec": delivery.ROLLOUT}, ()),
    ("flagger.app/v1beta1", "Canary"): ({"spec": canaries.CANARY}, ()),
    ("flagger.app/v1beta1", "MetricTemplate"): ({"spec": canaries.METRIC_TEMPLATE}, ()),
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): ({"spec": _GROUP_OF_PODS}, ()),
    ("monitoring.coreos.com/v1", "PodMonitor"): ({"spec": delivery.MONITOR}, ()),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ({"spec": delivery.MONITOR}, ()),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ({"spec": delivery.ALERTS}, ()),
}

_COMPLETE = {key: ({**_UNKNOWN[0], **fields}, rules) for key, (fields, rules) in _SHAPES.items()}


def shape_of(api_version: str, kind: str) -> Root:
    """What applies to objects of a kind; their metadata only, where the kind is not known."""
    return _COMPLETE.get((api_version, kind), _UNKNOWN)
