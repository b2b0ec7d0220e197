"""Fields of custom resources that a progressive delivery needs, and the values they must refuse."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
import yaml

from sluice.core.kubernetes.closure import merge, schema_for

DATA = Path(__file__).parents[3] / "schemas" / "kubernetes"
SCHEMAS = merge(json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json")))

# A document a kind: an accepted spec, then changes of it ("path: value") that must be refused.
DOCUMENTS = """
kind: gateway.networking.k8s.io/v1/HTTPRoute
spec:
  parentRefs: [{name: g, sectionName: https}]
  hostnames: [api.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /v1}, headers: [{type: Exact, name: a, value: b}]}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: s, port: 80}, percent: 5}}]
    timeouts: {request: 60s, backendRequest: 30s}
    backendRefs:
    - {name: s, port: 80, weight: 90}
    - {group: inference.networking.k8s.io, kind: InferencePool, name: p, weight: 10}
refused:
  rules 0 backendRefs 0 weight: 1000001
  rules 0 backendRefs 0 port: 80.5
  rules 0 backendRefs 1 port: 65536
  rules 0 matches 0 path type: Prefix
  rules 0 matches 0 headers 0 type: exact
  rules 0 timeouts request: 60
  rules 0 retry: {attempts: 2}
  rules 0 sessionPersistence: {sessionName: s}
  hostnames 0: ''
---
kind: networking.istio.io/v1/VirtualService
spec:
  hosts: [h]
  gateways: [g]
  http:
  - name: canary
    match: [{headers: {x: {exact: v7}}, uri: {prefix: /}}, {queryParams: {a: {}}}]
    route: [{weight: 90, destination: {host: s, subset: v1, port: {number: 80}}}]
    mirror: {host: s, subset: v2}
    mirrorPercentage: {value: 0.5}
    timeout: 60s
    retries: {attempts: 2, perTryTimeout: 2s, retryOn: 5xx}
refused:
  http 0 route 0 weight: 90.5
  http 0 route 0 destination port number: http
  http 0 match 0 headers x: {exact: a, prefix: b}
  http 0 match 0 uri: {exact: a, regex: b}
  http 0 mirrorPercentage value: half
  http 0 retries attempts: '2'
---
kind: networking.istio.io/v1/DestinationRule
spec:
  host: h
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-session}}}
  subsets: [{name: v1, labels: {a: b}, trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}}]
refused:
  trafficPolicy loadBalancer: {simple: RANDOM, consistentHash: {httpHeaderName: h}}
  trafficPolicy loadBalancer consistentHash: {httpHeaderName: h, useSourceIp: true}
  subsets 0 trafficPolicy connectionPool http maxRetries: 1.5
---
kind: argoproj.io/v1alpha1/Rollout
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d, scaleDown: progressively}
  strategy:
    canary:
      canaryService: c
      stableService: s
      dynamicStableScale: true
      abortScaleDownDelaySeconds: 30
      trafficRouting:
        maxTrafficWeight: 100
        nginx: {stableIngress: i, additionalIngressAnnotations: {canary-by-header: x}}
        istio: {virtualService: {name: v, routes: [a]}}
        plugins: {argoproj-labs/gatewayAPI: {httpRoute: r, namespace: n}}
      analysis: {templates: [{templateName: t}], args: [{name: a, value: b}], startingStep: 1}
      steps:
      - {setWeight: 10}
      - {pause: {duration: 600}}
      - {pause: {}}
      - {setCanaryScale: {matchTrafficWeight: true}}
      - {setHeaderRoute: {name: h, match: [{headerName: x, headerValue: {exact: y}}]}}
      - {analysis: {templates: [{templateName: t}]}}
refused:
  strategy canary steps 0 setWeight: 10.5
  strategy canary trafficRouting nginx stableIngres: i
  strategy canary steps 3 setCanaryScale matchTrafficWeight: 'yes'
  strategy canary analysis args 0 value: 3
  template: {spec: {containers: [{name: a, imagex: b}]}}
---
kind: argoproj.io/v1alpha1/AnalysisTemplate
spec:
  args: [{name: a, value: b}]
  dryRun: [{metricName: .*}]
  measurementRetention: [{metricName: m, limit: 10}]
  metrics:
  - name: m
    interval: 1m
    initialDelay: 30s
    count: 10
    successCondition: result[0] >= 0.95
    failureCondition: result[0] < 0.9
    failureLimit: 3
    inconclusiveLimit: 3
    consecutiveErrorLimit: 4
    consecutiveSuccessLimit: 2
    provider: {prometheus: {address: a, query: q, timeout: 40}}
  - name: j
    provider:
      job: {metadata: {labels: {a: b}}, spec: {template: {spec: {containers: [{name: c}]}}}}
refused:
  metrics 0 provider prometheus timeout: 40s
  metrics 0 failureLimit: 1.5
  metrics 1 provider job spec template spec containers 0 imagex: i
---
kind: argoproj.io/v1alpha1/Application
spec:
  project: p
  destination: {server: s, namespace: n}
  source: {repoURL: r, path: m, targetRevision: main, directory: {recurse: true}}
  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]
  revisionHistoryLimit: 10
  syncPolicy:
    automated: {prune: true, selfHeal: true, allowEmpty: false}
    syncOptions: [ServerSideApply=true]
    retry: {limit: 5, backoff: {duration: 5s, factor: 2, maxDuration: 3m}}
    managedNamespaceMetadata: {labels: {a: b}}
refused:
  syncPolicy retry limit: five
  syncPolicy retry backoff factor: 1.5
  source directory recurse: 'yes'
  ignoreDifferences 0 jsonPointers: /spec
---
kind: keda.sh/v1alpha1/ScaledObject
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}
  pollingInterval: 15
  cooldownPeriod: 300
  minReplicaCount: 0
  maxReplicaCount: 8
  fallback: {failureThreshold: 3, replicas: 2, behavior: currentReplicasIfHigher}
  advanced:
    restoreToOriginalReplicaCount: true
    horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 300}}}
  triggers:
  - {type: prometheus, metricType: AverageValue, metadata: {serverAddress: a, threshold: '10'}}
refused:
  triggers 0 metadata threshold: 10
  fallback behavior: none
  minReplicaCount: 0.5
  advanced horizontalPodAutoscalerConfig behavior scaleDown stabilizationWindow: 1
---
kind: monitoring.coreos.com/v1/PodMonitor
spec:
  selector: {matchLabels: {a: b}}
  podMetricsEndpoints:
  - port: http
    path: /metrics
    interval: 15s
    relabelings: [{sourceLabels: [a], targetLabel: b, action: replace, regex: (.*)}]
    basicAuth: {username: {name: s, key: k}}
refused:
  podMetricsEndpoints 0 portNumber: 65536
  podMetricsEndpoints 0 relabelings 0 action: rename
  podMetricsEndpoints 0 relabelings 0 sourceLabels: a
  podMetricsEndpoints 0 basicAuth username keyx: k
---
kind: flagger.app/v1beta1/Canary
spec:
  provider: gatewayapi:v1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: d}
  autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: o}
  progressDeadlineSeconds: 3600
  service: {port: 80, targetPort: http, hosts: [h], gatewayRefs: [{name: g, namespace: n}]}
  analysis:
    interval: 1m
    threshold: 5
    stepWeights: [1, 10, 50]
    mirror: true
    match: [{headers: {x-canary: {exact: insider}}}]
    metrics: [{name: m, templateRef: {name: t}, thresholdRange: {min: 99.5}, interval: 1m}]
    webhooks: [{name: w, type: pre-rollout, url: u, timeout: 30s, metadata: {cmd: c}}]
    sessionAffinity: {cookieName: c, maxAge: 86400}
refused:
  provider: gateway
  service gatewayRefs 0 port: 0
  analysis stepWeight: 10
  analysis stepWeights 0: 0.5
  analysis match 0 headers x-canary: {exact: a, regex: b}
  analysis webhooks 0 type: before
  targetRef kind: StatefulSet
"""

CASES = [
    pytest.param(document["kind"], document["spec"], document["refused"], id=document["kind"])
    for document in yaml.safe_load_all(DOCUMENTS)
]


def placed(spec: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of `spec` with `value` at `path`, whose numbers are indexes."""
    result = copy.deepcopy(spec)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split()]
    holder: Any = result
    for step in steps:
        holder = holder[step]
    holder[last] = value
    return result


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize(("name", "spec", "refused"), CASES)
def test_useful_fields_are_accepted_and_wrong_values_refused(
    name: str, spec: dict[str, Any], refused: dict[str, object], version: str
) -> None:
    api_version, kind = name.rsplit("/", 1)
    schema = schema_for(SCHEMAS, version, api_version, kind)
    assert schema is not None
    good = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}, "spec": spec}
    jsonschema.validate(good, schema, jsonschema.Draft202012Validator)
    validator = jsonschema_rs.validator_for(schema)
    accepted = [
        p for p, v in refused.items() if validator.is_valid(good | {"spec": placed(spec, p, v)})
    ]
    assert accepted == []
    assert validator.is_valid(good)
