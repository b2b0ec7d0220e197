"""IP addresses and CIDR blocks (from 1.30 on)."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from sluice.core.cel.libraries.declaration import Overload, tagged, untagged

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = tuple[Address, int]

_PREFIX = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)
_V4_GLOBAL_EXCEPTION = ipaddress.IPv4Address("255.255.255.255")


def parse_ip(text: str) -> Address:
    """An address without zone that is not an IPv4 address in IPv6 clothes.

    Raises:
        ValueError: when the text is no such address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise ValueError(f"IP address {text!r} with a zone or mapped from IPv4 is not allowed")
    return address


def parse_cidr(text: str) -> Block:
    """An address and the length of its prefix; bits after the prefix may be set.

    Raises:
        ValueError: when the text is no such block.
    """
    address, _, length = text.partition("/")
    parsed = parse_ip(address)
    if not _PREFIX.fullmatch(length) or int(length) > parsed.max_prefixlen:
        raise ValueError(f"network address parse error during conversion from string: {text!r}")
    return parsed, int(length)


def _ip(text: str) -> dict[str, str]:
    return tagged("ip", str(parse_ip(text)))


def _cidr(text: str) -> dict[str, str]:
    return tagged("cidr", _cidr_text(parse_cidr(text)))


def _cidr_text(block: Block) -> str:
    return f"{block[0]}/{block[1]}"


def _is(parse: Any) -> Any:  # noqa: ANN401  # one predicate for each parser
    def run(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return run


def _address(value: Mapping[str, Any]) -> Address:
    return ipaddress.ip_address(untagged("ip", value))


def _block(value: Mapping[str, Any]) -> Block:
    return parse_cidr(untagged("cidr", value))


def _mask(address: Address, length: int) -> int:
    shift = address.max_prefixlen - length
    return int(address) >> shift << shift


def _contains_ip(value: Mapping[str, Any], other: Mapping[str, Any] | str) -> bool:
    base, length = _block(value)
    address = parse_ip(other) if isinstance(other, str) else _address(other)
    return base.version == address.version and _mask(base, length) == _mask(address, length)


def _contains_cidr(value: Mapping[str, Any], other: Mapping[str, Any] | str) -> bool:
    base, length = _block(value)
    inner, inner_length = parse_cidr(other) if isinstance(other, str) else _block(other)
    same = base.version == inner.version and _mask(base, length) == _mask(inner, length)
    return same and length <= inner_length


def _masked(value: Mapping[str, Any]) -> dict[str, str]:
    base, length = _block(value)
    return tagged("cidr", _cidr_text((type(base)(_mask(base, length)), length)))


def _is_link_local_multicast(value: Mapping[str, Any]) -> bool:
    packed = _address(value).packed
    if len(packed) == 4:  # noqa: PLR2004  # bytes of an IPv4 address
        return packed[:3] == b"\xe0\x00\x00"
    return packed[0] == 0xFF and packed[1] & 0x0F == 0x02  # noqa: PLR2004  # ff02::/16, any flags


def _is_global_unicast(value: Mapping[str, Any]) -> bool:
    address = _address(value)
    special = address.is_unspecified or address.is_loopback or address.is_multicast
    return not (special or address.is_link_local or address == _V4_GLOBAL_EXCEPTION)


OVERLOADS = (
    Overload("ip", "string -> ip", _ip, member=False),
    Overload("isIP", "string -> bool", _is(parse_ip), member=False),
    Overload("ip.isCanonical", "string -> bool", lambda t: str(parse_ip(t)) == t, member=False),
    Overload("family", "ip -> int", lambda v: _address(v).version),
    Overload("isUnspecified", "ip -> bool", lambda v: _address(v).is_unspecified),
    Overload("isLoopback", "ip -> bool", lambda v: _address(v).is_loopback),
    Overload("isLinkLocalMulticast", "ip -> bool", _is_link_local_multicast),
    Overload("isLinkLocalUnicast", "ip -> bool", lambda v: _address(v).is_link_local),
    Overload("isGlobalUnicast", "ip -> bool", _is_global_unicast),
    Overload("string", "ip -> string", lambda v: untagged("ip", v), member=False),
    Overload("cidr", "string -> cidr", _cidr, member=False),
    Overload("isCIDR", "string -> bool", _is(parse_cidr), member=False),
    Overload("containsIP", "cidr, string -> bool", _contains_ip),
    Overload("containsIP", "cidr, ip -> bool", _contains_ip),
    Overload("containsCIDR", "cidr, string -> bool", _contains_cidr),
    Overload("containsCIDR", "cidr, cidr -> bool", _contains_cidr),
    Overload("ip", "cidr -> ip", lambda v: tagged("ip", str(_block(v)[0]))),
    Overload("prefixLength", "cidr -> int", lambda v: _block(v)[1]),
    Overload("masked", "cidr -> cidr", _masked),
    Overload("string", "cidr -> string", lambda v: untagged("cidr", v), member=False),
)
