#!/usr/bin/env bash
# Builds the real servers of `make test-live` from their published Go modules, once.
#
#   build.sh [PART...]    kubernetes kwok definitions gitea argocd; all of them when none is named
#
# They go to SLUICE_LIVE_CACHE, or else sluice-live in the user's cache directory. What is there is
# left alone, so that a build that was broken off goes on where it was; after a change of
# versions.env remove what is to be new. It needs Go, a C compiler (for Gitea's database) and an
# hour on two cores; JOBS=1 is kinder to a machine that others use too.
set -euo pipefail
shopt -s inherit_errexit nullglob

here=$(dirname "$(realpath "$0")")
# shellcheck source=versions.env
. "$here/versions.env"
cache=$(realpath -m "${SLUICE_LIVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-live}")
python=${PYTHON:-python3}  # with PyYAML
parts=(kubernetes kwok definitions gitea argocd)
wanted=("$@")
[[ $# -gt 0 ]] || wanted=("${parts[@]}")

export GOFLAGS="-mod=mod -buildvcs=false -p=${JOBS:-2}" GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
log=/dev/null  # each part has its own

# True while one of these files is still to be made.
lacks() {
    local file
    for file in "$@"; do
        [[ -s $cache/$file ]] || return 0
    done
    return 1
}

# Prints where a module lies, downloaded if need be: module PATH@VERSION.
module() {
    (cd "$build" && go mod download -json "$1") |
        "$python" -c 'import json, sys; m = json.load(sys.stdin); print(m.get("Dir") or sys.exit(m["Error"]))'
}

# Prints a copy of a module that may be changed. `go install PATH@VERSION` refuses modules that
# replace others, and most of these do.
tree() {
    local from to
    from=$(module "$1")
    to=$build/$(tr -c 'a-zA-Z0-9.\n' _ <<<"$1")
    cp -r "$from" "$to"
    chmod -R u+w "$to"
    rm -rf "$to"/vendor "$to"/go.work*
    echo "$to"
}

# compile TREE PACKAGE PROGRAM LDFLAGS [OPTION...]: elsewhere first, so that half a file never
# passes for a whole one.
compile() {
    local began=$SECONDS
    if ! (cd "$1" && go build -trimpath -ldflags "-s -w $4" -o "$build/out" "${@:5}" "$2") &>>"$log"; then
        tail -n 5 "$log"
        return 1
    fi
    mv "$build/out" "$cache/$3"
    echo "$3: built in $((SECONDS - began)) s"
}

build_kubernetes() {
    local folder program package flags=""
    local programs=(kube-apiserver kubectl kube-controller-manager kube-scheduler)
    if lacks etcd; then
        # Its sibling modules are named by relative folders, and published under the same names.
        folder=$(tree "go.etcd.io/etcd/server/v3@v$ETCD")
        (cd "$folder" && sed -nE 's#^\s*(go\.etcd\.io/\S+) => \.\..*#-dropreplace=\1#p' go.mod | xargs go mod edit)
        compile "$folder" . etcd ""
    fi
    lacks "${programs[@]}" || return 0
    # Its staging modules are folders that the module lacks; they are published as v0.MINOR.PATCH.
    folder=$(tree "k8s.io/kubernetes@v$KUBERNETES")
    (cd "$folder" && sed -nE 's#^\s*(k8s\.io/\S+) => \./staging.*#\1#p' go.mod |
        while read -r name; do
            echo "-dropreplace=$name -require=$name@v0.${KUBERNETES#1.}"
        done | xargs go mod edit)
    # What the server answers as its version, and kubectl as its own.
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $package.gitVersion=v$KUBERNETES -X $package.gitMajor=1"
        flags+=" -X $package.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES") -X $package.gitTreeState=archive"
    done
    for program in "${programs[@]}"; do
        if lacks "$program"; then
            compile "$folder" "./cmd/$program" "$program" "$flags"
        fi
    done
}

# kwok plays the kubelets. Without stages it plays nothing; of its own these are the fast ones.
build_kwok() {
    local folder file
    lacks kwok kwok-stages.yaml || return 0
    folder=$(tree "sigs.k8s.io/kwok@v$KWOK")
    compile "$folder" ./cmd/kwok kwok ""
    for file in "$folder"/kustomize/stage/{node/fast,node/heartbeat-with-lease,pod/fast}/*-*.yaml; do
        echo ---
        cat "$file"
    done >"$build/stages"
    mv "$build/stages" "$cache/kwok-stages.yaml"
}

# Puts the definitions that a module publishes into one file: define NAME PATH@VERSION PATTERN
define() {
    local folder file
    lacks "crds/$1.yaml" || return 0
    folder=$(module "$2")
    for file in "$folder"/$3; do
        echo ---
        cat "$file"
    done >"$build/definitions"
    grep -q '^kind: CustomResourceDefinition' "$build/definitions"
    mv "$build/definitions" "$cache/crds/$1.yaml"
}

build_definitions() {
    define argocd "github.com/argoproj/argo-cd/v3@v$ARGOCD" 'manifests/crds/*-crd.yaml'
    define argo-rollouts "github.com/argoproj/argo-rollouts@v$ARGO_ROLLOUTS" 'manifests/crds/*-crd.yaml'
    define gateway-api "sigs.k8s.io/gateway-api@v$GATEWAY_API" 'config/crd/standard/*.yaml'
    define inference "istio.io/istio@v$INFERENCE_EXTENSION" tests/integration/pilot/testdata/gateway-api-inference-extension-crd.yaml
    define istio "istio.io/api@v$ISTIO" kubernetes/customresourcedefinitions.gen.yaml
    define keda "github.com/kedacore/keda/v2@v$KEDA" 'config/crd/bases/*.yaml'
    define prometheus-operator "github.com/prometheus-operator/prometheus-operator@v$PROMETHEUS_OPERATOR" 'example/prometheus-operator-crd/*.yaml'
    if lacks crds/leaderworkerset.yaml; then
        "$python" "$here/leader_worker_set.py" "$cache/crds/keda.yaml" >"$build/definitions"
        mv "$build/definitions" "$cache/crds/leaderworkerset.yaml"
    fi
}

# The module lacks the built frontend, and an empty manifest stands for it: the API, Git over HTTP
# and the command line are whole; pages come without scripts and styles.
build_gitea() {
    local folder
    lacks gitea || return 0
    folder=$(tree "code.gitea.io/gitea@v$GITEA")
    mkdir -p "$folder/public/assets/.vite"
    echo '{}' >"$folder/public/assets/.vite/manifest.json"
    (cd "$folder" && go generate -tags bindata ./modules/options ./modules/public ./modules/templates ./modules/migration) &>>"$log"
    CGO_ENABLED=1 compile "$folder" . gitea "-X main.Version=$GITEA" -tags 'bindata sqlite sqlite_unlock_notify'
}

# Its engine there wants a context in four calls, which is given; its metrics listen on loopback
# only, for which there is no option.
build_argocd() {
    local folder engine=github.com/argoproj/argo-cd/gitops-engine
    lacks argocd argocd-config/argocd-cm.yaml git-verify-wrapper.sh || return 0
    folder=$(tree "github.com/argoproj/argo-cd/v3@v$ARGOCD")
    (cd "$folder" && go mod edit -replace "$engine=$engine@v$ARGOCD_ENGINE")
    sed -i -e 's/diff\.DiffArray(/&context.Background(), /; s/ diff\.Diff(/&context.Background(), /; s/^import (/&\n\t"context"/' "$folder/util/argo/diff/diff.go"
    sed -i 's/syncCtx\.\(Terminate\|Sync\)(/&context.Background()/' "$folder/controller/sync.go"
    sed -i 's/"0\.0\.0\.0:%d", metricsPort/"127.0.0.1:%d", metricsPort/' "$folder/controller/appcontroller.go"
    rm -rf "$cache/argocd-config"
    cp -r "$folder/manifests/base/config" "$cache/argocd-config"
    rm "$cache/argocd-config/kustomization.yaml"
    install -m 755 "$folder"/hack/*-wrapper.sh "$cache"  # the repository server calls them by name
    compile "$folder" ./cmd argocd "-X github.com/argoproj/argo-cd/v3/common.version=$ARGOCD"
}

for part in "${wanted[@]}"; do
    if [[ " ${parts[*]} " != *" $part "* ]]; then
        echo "there is no part $part; there are: ${parts[*]}"
        exit 2
    fi
done
for program in go cc "$python"; do
    if ! command -v "$program" >/dev/null; then
        echo "to build servers it needs $program (Go: https://go.dev/dl/); those that are built already are used"
        exit 1
    fi
done

mkdir -p "$cache/crds" "$cache/logs"
build=$(mktemp -d)
trap 'chmod -R u+w "$build"; rm -rf "$build"' EXIT
failed=0
for part in "${wanted[@]}"; do
    log=$cache/logs/$part.log
    : >"$log"
    # Not in a condition: there bash would not stop at the first command of a part that fails.
    set +e
    (set -e; "build_$part")
    code=$?
    set -e
    if [[ $code -ne 0 ]]; then
        echo "$part: could not be built, see $log"
        failed=1
    fi
done
exit "$failed"
