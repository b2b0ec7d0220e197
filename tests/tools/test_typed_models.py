"""How the schema generator reads typed models, on a small invented package."""

import base64
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from npm_models import npm_parts
from typescript_types import declaration

WIDGET = """
import { IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { IShop } from "./Shop.js";
import { TypeMeta, Model } from "@kubernetes-models/base";
/** A thing; see {@link IOther}. */
export interface IWidget extends TypeMeta {
    "apiVersion": "example.org/v1";
    "kind": "Widget";
    "metadata"?: IObjectMeta;
    "spec": IShop;
    "status"?: { "phase": string; };
}
export declare class Widget extends Model<IWidget> implements IWidget { "spec": IShop; }
"""
BASE = """
export interface IBase {
    "owner": string;
}
"""
PORT = "export type IPort = number;"
SHOP = """
import { IBase } from "./Base.js";
import { IPort } from "./Port.js";
import { IPodSpec } from "kubernetes-models/v1/PodSpec";
import { IRawExtension } from "@kubernetes-models/apimachinery/runtime/RawExtension";
export interface IShop extends IBase {
    "any"?: IRawExtension;
    "labels"?: { [key: string]: string; };
    /** <gateway:experimental> */
    "later"?: { "a": string; };
    "mode"?: "a" | "b";
    "open"?: {};
    "pod": IPodSpec;
    "ports"?: Array<IPort>;
    "share"?: number;
    "size": number | string;
    "code"?: 301 | 302;
    "text"?: {
        "exact"?: string;
        "prefix"?: string;
    } & (Exclude<{ "exact"?: string; "prefix"?: string; }, { "exact"?: string; "prefix"?: string; }
        & ({ "exact": string; "prefix"?: string; } | { "exact"?: string; "prefix": string; })>
        | { "exact": string; "prefix"?: string; } | { "exact"?: string; "prefix": string; });
}
"""
ANY_CHECK = "export const validate=validate0;function validate0(data,{x}){return true}"
PORT_CHECK = (
    "export const validate=validate0;function validate0(data,{x}){"
    'e={keyword:"type",params:{type:"integer"}};'
    'e={keyword:"maximum",params:{comparison:"<=",limit:0xffff}}}'
)
SHOP_CHECK = (
    'export const validate=validate9;import{validate as validate2}from"./Port.js";'
    "function validate1(data,{x}){validate2(data,{x})}"
    "function validate3(data,{x}){"
    'e={keyword:"maxItems",params:{limit:16}};validate1(data[i0],{x})}'
    'function validate4(data,{x}){e={keyword:"minimum",params:{comparison:">=",limit:0}}}'
    "function validate9(data,{x}){validate3(data.ports,{x}),validate4(data.share,{x})}"
)
TEXTS = {"Widget": WIDGET, "Base": BASE, "Shop": SHOP, "Port": PORT}
CHECKS = {"Widget": ANY_CHECK, "Base": ANY_CHECK, "Shop": SHOP_CHECK, "Port": PORT_CHECK}
NPM = """#!/bin/sh
test "$*" = "pack --json widgets@1.2.3" || exit 9
cp "$WIDGETS" widgets.tgz
echo '[{"filename": "widgets.tgz"}]'
"""


@pytest.fixture
def integrity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An `npm` that has one package, `widgets` 1.2.3; the value is its checksum."""
    archive = tmp_path / "archive.tgz"
    with tarfile.open(archive, "w:gz") as members:
        for name, text in package_files().items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            members.addfile(member, io.BytesIO(text.encode()))
    npm = tmp_path / "npm"
    npm.write_text(NPM, "utf-8")
    npm.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("WIDGETS", str(archive))
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def package_files() -> dict[str, str]:
    files = {f"example.org/v1/{name}.d.ts": text for name, text in TEXTS.items()}
    files |= {f"_schemas/{name}.js": text for name, text in CHECKS.items()}
    for name in TEXTS:
        model = f'import{{validate}}from"../../_schemas/{name}.js"'
        files[f"example.org/v1/{name}.js"] = model
    return files


def package(**changes: str) -> dict[str, Any]:
    given = {"name": "widgets", "version": "1.2.3", "kinds": ["example.org/v1/Widget"]}
    return given | changes


def test_a_package_becomes_closed_schemas(integrity: str) -> None:
    part = npm_parts([package(integrity=integrity)])["example.org"]
    root = part["kinds"]["example.org/v1/Widget"]["1.0"]
    assert root["required"] == ["apiVersion", "kind", "spec"]
    assert root["properties"]["spec"] == {"$ref": "#/$defs/example.org.v1.Shop"}
    assert root["properties"]["status"] == {"type": ["object", "null"]}
    shop = part["definitions"]["example.org.v1.Shop"]["1.0"]
    assert list(part["definitions"]) == ["example.org.v1.Shop"]
    assert shop["required"] == ["owner", "pod", "size"]
    assert shop["additionalProperties"] is False
    text = shop["properties"].pop("text")
    assert shop["properties"] == {
        "owner": {"type": "string"},
        "any": {"type": "object"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "mode": {"type": "string", "enum": ["a", "b"]},
        "open": {"type": "object"},
        "pod": {"$ref": "#/$defs/core.v1.PodSpec"},
        "ports": {"type": "array", "maxItems": 16, "items": {"type": "integer", "maximum": 65535}},
        "share": {"type": "number", "minimum": 0},
        "size": {"type": ["integer", "string"]},
        "code": {"type": "integer", "enum": [301, 302]},
    }
    either = [{"required": ["exact"]}, {"required": ["prefix"]}]
    assert text["allOf"] == [{"oneOf": [{"not": {"anyOf": either}}, *either]}]
    json.dumps(part)


def test_a_package_with_other_content_is_refused(integrity: str) -> None:
    other = package(integrity="sha512-other")
    with pytest.raises(SystemExit, match=r"widgets@1\.2\.3 has the integrity sha512-") as stop:
        npm_parts([other])
    assert integrity in str(stop.value)


@pytest.mark.usefixtures("integrity")
def test_a_package_that_npm_lacks_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"npm cannot get widgets@9\.9\.9"):
        npm_parts([package(version="9.9.9", integrity="")])


@pytest.mark.parametrize(
    "text",
    ["const a = 1;", 'export interface IA { "a" string; }', "export type IA = Array<string];"],
)
def test_other_typescript_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no exported"):
        declaration(text)
