"""Generate `tests/data/openapi/github.json`: of GitHub's API description what our client calls.

    python generator/tools/slice_openapi.py            from npm; needs `npm` and the network
    python generator/tools/slice_openapi.py FILE       from the description in a file
    python generator/tools/slice_openapi.py --check    write nothing; exit 1 on a difference

Kept are parameters, request bodies and successful answers, with all that they refer to, but no
prose and no examples. The description is MIT, of the Octokit contributors.
"""

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from npm_models import archive

TARGET = Path(__file__).parents[2] / "tests" / "data" / "openapi" / "github.json"
PACKAGE = "@octokit/openapi"
VERSION = "23.0.2"
INTEGRITY = (
    "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5e"
    "ZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
)
_MEMBER = "package/generated/api.github.com.json"
_R = "/repos/{owner}/{repo}"
OPERATIONS = {
    _R: ("get",),
    f"{_R}/pulls": ("get", "post"),
    f"{_R}/pulls/{{pull_number}}": ("get", "patch"),
    f"{_R}/pulls/{{pull_number}}/merge": ("put",),
    f"{_R}/pulls/{{pull_number}}/requested_reviewers": ("post",),
    f"{_R}/pulls/{{pull_number}}/reviews": ("get",),
    f"{_R}/issues/{{issue_number}}/events": ("get",),
    f"{_R}/issues/{{issue_number}}/labels": ("post",),
    f"{_R}/issues/{{issue_number}}/labels/{{name}}": ("delete",),
    f"{_R}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{_R}/issues/comments/{{comment_id}}": ("delete", "patch"),
    f"{_R}/statuses/{{sha}}": ("post",),
    f"{_R}/commits/{{ref}}/status": ("get",),
    f"{_R}/git/ref/{{ref}}": ("get",),
    f"{_R}/git/refs/{{ref}}": ("delete",),
    "/app": ("get",),
    "/app/installations/{installation_id}/access_tokens": ("post",),
    "/user": ("get",),
}
_PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags", "title"}
_MAPS = {"properties", "schemas", "parameters"}  # whose keys are names, not keywords
_FAILURE = "3"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate tests/data/openapi/github.json.")
    parser.add_argument("file", nargs="?", help="the description, instead of the one on npm")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it differs")
    options = parser.parse_args()
    raw = Path(options.file).read_bytes() if options.file else _published()
    text = json.dumps(sliced(json.loads(raw)), sort_keys=True, separators=(",", ":")) + "\n"
    differs = not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text
    if differs and not options.check:
        TARGET.write_text(text, encoding="utf-8")
    if differs:
        print(f"{TARGET.name}: {'differs' if options.check else 'written'}")
    return int(options.check and differs)


def sliced(description: dict[str, Any]) -> dict[str, Any]:
    """What the operations say and refer to."""
    paths = {
        path: {method: _operation(description["paths"][path][method]) for method in methods}
        for path, methods in OPERATIONS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _bare(description["components"][kind][name])
            waiting += _references(components[kind][name])
    info = {"title": f"{PACKAGE} {VERSION}, a slice", "license": {"name": "MIT"}}
    return {
        "openapi": description["openapi"],
        "info": info,
        "paths": paths,
        "components": components,
    }


def _operation(raw: dict[str, Any]) -> dict[str, Any]:
    kept = {key: raw[key] for key in ("parameters", "requestBody") if key in raw}
    answers = {
        code: {key: value for key, value in answer.items() if key == "content"}
        for code, answer in raw["responses"].items()
        if code < _FAILURE
    }
    return {**_bare(kept), "responses": _bare(answers)}


def _bare(node: Any, *, names: bool = False) -> Any:  # noqa: ANN401 - JSON is anything
    """Drop prose; below `names` every key is somebody's name and stays."""
    if isinstance(node, list):
        return [_bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _bare(value, names=key in _MAPS and not names and isinstance(value, dict))
        for key, value in node.items()
        if names or not (key in _PROSE or key.startswith("x-"))
    }


def _references(node: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is anything
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)


def _published() -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive(PACKAGE, VERSION, INTEGRITY))) as members:
        content = members.extractfile(_MEMBER)
        if content is None:
            sys.exit(f"{PACKAGE}@{VERSION} has no {_MEMBER}")
        return content.read()


if __name__ == "__main__":
    sys.exit(main())
