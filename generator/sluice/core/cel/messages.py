"""The messages in which the CEL engine writes expressions, as classes of protobuf's own library.

They are as cel/expr/syntax.proto and cel/expr/checked.proto number them, so far as they are read or
written here. Expressions inside expressions are declared as bytes, which look the same on the wire:
each level is read by itself, and no tree is too deep for the library.
"""

from functools import lru_cache
from typing import Any

_PACKAGE = "sluice.cel"
_FIELDS = {
    "Any": "type_url:1:string value:2:bytes",
    "ParsedExpr": "root:2:bytes",
    "CheckedExpr": "references:2:Reference* types:3:Type* root:4:bytes source:5:SourceInfo",
    "Reference": "id:1:int64 variable:2:Variable",
    "Variable": "name:1:string",
    "Type": "id:1:int64 value:2:bytes",
    "SourceInfo": "positions:4:Position*",
    "Position": "id:1:int64 offset:2:int32",
    "Expr": "id:2:int64 constant:3:bytes? ident:4:Ident? select:5:Select? call:6:Call? list:7:List?"
    " struct:8:Struct? comprehension:9:Comprehension?",
    "Constant": "null:1:int64? bool:2:bool? int:3:int64? uint:4:uint64? double:5:double?"
    " string:6:string? bytes:7:bytes?",
    "Ident": "name:1:string",
    "Select": "operand:1:bytes field:2:string test:3:bool",
    "Call": "target:1:bytes function:2:string arguments:3:bytes*",
    "List": "elements:1:bytes* optional:2:int32*",
    "Struct": "name:1:string entries:2:Entry*",
    "Entry": "id:1:int64 key:3:bytes value:4:bytes optional:5:bool",
    "Comprehension": "name:1:string rounds:2:bytes accumulator:3:string first:4:bytes"
    " condition:5:bytes step:6:bytes result:7:bytes second:8:string",
}
"""Name, number and type of each field; a star marks lists, question marks what excludes another."""


def message_class(name: str) -> Any:  # noqa: ANN401  # classes that protobuf makes have no types
    """The class of a message; the library is loaded when the first one is asked for."""
    return _classes()[name]


@lru_cache(maxsize=1)
def _classes() -> dict[str, Any]:
    from google.protobuf import (  # type: ignore[import-untyped]  # noqa: PLC0415  # loads slowly
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    file = descriptor_pb2.FileDescriptorProto(name="sluice/cel.proto", package=_PACKAGE)
    for name, fields in _FIELDS.items():
        _declare(file.message_type.add(name=name), fields)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _declare(message: Any, fields: str) -> None:  # noqa: ANN401  # protobuf's DescriptorProto
    if "?" in fields:
        message.oneof_decl.add(name="kind")
    for text in fields.split():
        _declare_field(message, text)


def _declare_field(message: Any, text: str) -> None:  # noqa: ANN401  # protobuf's DescriptorProto
    name, number, kind = text.rstrip("*?").split(":")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if text.endswith("*") else field.LABEL_OPTIONAL
    if kind in _FIELDS:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    if text.endswith("?"):
        field.oneof_index = 0
