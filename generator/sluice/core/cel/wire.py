"""The protobuf wire format, as far as the CEL engine's type descriptors and syntax trees need it.

The engine takes descriptors and hands out syntax trees as bytes; the few fields in question do not
warrant generated classes.
"""

from collections.abc import Iterator

_MASK = (1 << 64) - 1
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: an integer as a varint, text and bytes length-delimited."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def double(number: int, raw: bytes) -> bytes:
    """One field of eight bytes."""
    return _varint(number << 3 | _FIXED64) + raw


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in order: number, and an integer or bytes.

    Raises:
        ValueError: where the bytes are no message.
    """
    position = 0
    while position < len(raw):
        key, position = _read_varint(raw, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _read_varint(raw, position)
            yield key >> 3, value
            continue
        length = 8
        if kind == _BYTES:
            length, position = _read_varint(raw, position)
        elif kind != _FIXED64:
            raise ValueError(f"wire type {kind} is not read")
        yield key >> 3, raw[position : position + length]
        position += length


def signed(value: int) -> int:
    """A varint read as a 64-bit signed integer."""
    return value - (1 << 64) if value >> 63 else value


def _varint(value: int) -> bytes:
    value &= _MASK
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = raw[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  # the last byte has no continuation bit
            return result, position
        shift += 7
