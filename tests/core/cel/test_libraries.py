"""The CEL libraries of Kubernetes, function by function, and the versions that have them."""

import pytest

from sluice.core.cel.problems import CompileError
from sluice.core.cel.regex import without_groups
from sluice.core.cel.runtime import Failed
from support.policies import value_of

TRUE = """
[1, 2, 3].isSorted() && ['a', 'b', 'b'].isSorted() && [1].isSorted() && ![2.0, 1.0].isSorted()
[1, 3].sum() == 4 && [1.0, 3.0].sum() == 4.0
[3, 1].min() == 1 && ['a', 'c', 'b'].max() == 'c' && ([0] + [7]).max() == 7 && [true, false].max()
[1, 2, 2, 3].indexOf(2) == 1 && ['a', 'b', 'b'].lastIndexOf('b') == 2 && [1.0].indexOf(1.1) == -1
[[1, 2], [3]].indexOf([3]) == 1 && [{'a': 1}].indexOf({'a': 1}) == 0
'banana'.indexOf('a') == 1 && 'banana'.lastIndexOf('a') == 5
[1, 2].includes(2) && !'model-a'.includes('model') && 'x'.includes('x')
'abc 123'.find('[0-9]+') == '123' && 'abc 123'.find('xyz') == ''
'a1'.find('([a-z])([0-9])') == 'a1'
'123 abc 456'.findAll('[0-9]+') == ['123', '456'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']
'1 2'.findAll('[0-9]', 0) == [] && 'x'.findAll('[0-9]') == []
'a.b'.matches('^a[.]b$') && !'ab'.matches('^b')
isURL('https://user:pass@example.com:80/path?query=val#fragment') && isURL('/absolute-path')
!isURL('https://a:b:c/') && !isURL('../relative-path') && !isURL('') && !isURL('example.com/x')
!isURL('http://[::1') && !isURL('http://a b/') && !isURL('/%zz') && isURL('mailto:a@b.c')
url('/path').getScheme() == '' && url('HTTPS://example.com/').getScheme() == 'https'
url('https://example.com:80/').getHost() == 'example.com:80' && url('/path').getHost() == ''
url('https://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]:80/').getHostname() == '::1'
url('https://example.com:80/').getPort() == '80' && url('https://example.com/').getPort() == ''
url('https://example.com/with space/').getEscapedPath() == '/with%20space/'
url('https://example.com').getEscapedPath() == ''
url('https://e.c/a%2Fb').getEscapedPath() == '/a%2Fb'
url('https://e.c/p?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}
url('https://e.c/p?a+b=c%20d').getQuery() == {'a b': ['c d']}
url('https://e.c/p?').getQuery() == {}
url('https://e.c/') == url('https://e.c/') && url('https://e.c/') != url('https://e.c/x')
isQuantity('1.3Gi') && isQuantity('10000k') && isQuantity('-1') && isQuantity('1e3')
isQuantity('.5')
!isQuantity('1,3G') && !isQuantity('200K') && !isQuantity('Three') && !isQuantity('Mi')
!isQuantity('')
quantity('200M').compareTo(quantity('0.2G')) == 0
quantity('50M').compareTo(quantity('50Mi')) == -1
quantity('150Mi').isGreaterThan(quantity('100Mi')) && quantity('50M').isLessThan(quantity('100M'))
quantity('1000m') == quantity('1') && quantity('1') != quantity('2')
quantity('1Ki') == quantity('1024')
quantity('50k').add(quantity('20k')) == quantity('70k')
quantity('50k').add(20) == quantity('50020')
quantity('50k').sub(quantity('20k')) == quantity('30k')
quantity('50k').sub(20000) == quantity('30k')
quantity('50k').asInteger() == 50000 && quantity('1.5').asApproximateFloat() == 1.5
quantity('50000000G').isInteger() && !quantity('1.5').isInteger()
!quantity('9999999999999999999999999999999999999G').isInteger()
sign(quantity('-2')) == -1 && sign(quantity('0')) == 0 && sign(quantity('3k')) == 1
isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && !isIP(':::1') && !isIP('01.2.3.4')
!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && !isIP('1.2.3.4/24')
ip('127.0.0.1').family() == 4 && ip('::1').family() == 6
string(ip('2001:DB8::1')) == '2001:db8::1'
ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD') && ip.isCanonical('127.0.0.1')
ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified() && !ip('::1').isUnspecified()
ip('127.0.0.1').isLoopback() && ip('::1').isLoopback() && !ip('192.168.0.1').isLoopback()
ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast()
ip('ff02::1').isLinkLocalMulticast() && !ip('fd00::1').isLinkLocalMulticast()
ip('169.254.169.254').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()
ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()
ip('2001:db8::abcd').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast()
ip('::1') == ip('0:0::1')
isCIDR('192.168.0.0/16') && isCIDR('::1/128') && isCIDR('192.168.0.1/16')
!isCIDR('192.168.0.0/33') && !isCIDR('::1/129') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/08')
!isCIDR('10.0.0.0/255.0.0.0')
cidr('192.168.0.0/24').containsIP(ip('192.168.0.1'))
!cidr('192.168.0.0/24').containsIP('192.168.1.1')
cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')
!cidr('192.168.0.0/24').containsCIDR('192.168.0.0/16')
cidr('192.168.0.0/16').containsCIDR(cidr('192.168.10.0/24'))
!cidr('10.0.0.0/8').containsIP('::1')
cidr('192.168.0.1/24').ip() == ip('192.168.0.1') && cidr('::1/128').ip().family() == 6
cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24')
cidr('192.168.0.1/24') != cidr('192.168.0.0/24')
cidr('192.168.0.0/16').prefixLength() == 16 && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'
!format.dns1123Label().validate('my-label').hasValue()
format.dns1123Label().validate('My').hasValue()
!format.dns1123Subdomain().validate('a.b-c.d').hasValue()
format.dns1123Subdomain().validate('a..b').hasValue()
!format.dns1035Label().validate('a1').hasValue() && format.dns1035Label().validate('1a').hasValue()
!format.qualifiedName().validate('example.com/My_Name').hasValue()
format.qualifiedName().validate('a/b/c').hasValue()
!format.dns1123LabelPrefix().validate('abc-').hasValue()
format.dns1123Label().validate('abc-').hasValue()
!format.dns1035LabelPrefix().validate('abc-').hasValue()
!format.dns1123SubdomainPrefix().validate('a.b-').hasValue()
!format.labelValue().validate('').hasValue() && format.labelValue().validate('-a').hasValue()
!format.uri().validate('http://example.com').hasValue()
format.uri().validate('example').hasValue()
!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()
format.uuid().validate('x').hasValue()
!format.byte().validate('aGVsbG8=').hasValue() && format.byte().validate('!').hasValue()
!format.date().validate('2021-01-31').hasValue() && format.date().validate('2021-02-30').hasValue()
!format.datetime().validate('2021-01-01T00:00:00Z').hasValue()
format.datetime().validate('2021-01-01').hasValue()
format.dns1123Label().validate('A').value().size() == 1
format.dns1123Label().validate('a').orValue(['x']) == ['x']
format.named('labelValue').hasValue() && !format.named('nope').hasValue()
format.named('uuid').value().validate('x').hasValue()
format.dns1123Label().validate('A').optMap(m, m.size()).orValue(0) == 1
isSemver('1.0.0') && isSemver('0.1.0-alpha.1+build') && !isSemver('v1.0') && !isSemver('1.0')
!isSemver('01.0.0')
isSemver('v1.0', true) && isSemver('01.01.01', true) && !isSemver('1.0-rc', true)
!isSemver('1.0.0-01')
semver('v1.0.0', true) == semver('1.0.0') && semver('1.0', true) == semver('1.0.0')
semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3
semver('1.2.3').compareTo(semver('1.2.3')) == 0 && semver('1.2.3').isLessThan(semver('1.10.0'))
semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))
semver('1.0.0-alpha').isLessThan(semver('1.0.0-alpha.1'))
semver('1.0.0-2').isLessThan(semver('1.0.0-10')) && semver('1.0.0-9').isLessThan(semver('1.0.0-a'))
semver('1.0.0+a') == semver('1.0.0+b')
sets.contains([1, 2], [1]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])
[1, 2, 3].all(i, v, v > i) && {'a': 1}.exists(k, v, k == 'a' && v == 1)
[1, 2].existsOne(i, v, v == 2)
[1, 2].transformList(i, v, i * v) == [0, 2] && [1, 2].transformList(i, v, v > 1, v) == [2]
{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}
{'a': 'b'}.transformMapEntry(k, v, {v: k}) == {'b': 'a'}
{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2} && [7].transformMap(i, v, v) == {0: 7}
[1, 2, 3].slice(0, 2) == [1, 2] && [[1], [2]].flatten() == [1, 2] && [1, 1].distinct() == [1]
[3, 1].sort() == [1, 3] && [3, 1].sortBy(x, -x) == [3, 1] && [1, 2].reverse() == [2, 1]
lists.range(3) == [0, 1, 2]
'a-b'.split('-') == ['a', 'b'] && ['a', 'b'].join(',') == 'a,b' && ' a '.trim() == 'a'
'abc'.charAt(1) == 'b'
'abc'.replace('b', 'x') == 'axc' && 'aBc'.lowerAscii() == 'abc' && 'abc'.substring(1, 2) == 'b'
'%s has %d of %.1f'.format(['a', 2, 1.5]) == 'a has 2 of 1.5'
{'a': {'b': 1}}.?a.?b.orValue(2) == 1 && {}.?a.orValue(2) == 2 && {'a': 1}[?'a'].hasValue()
{'a': 1}.?a.optMap(x, x + 1).value() == 2 && optional.none().orValue(3) == 3
[?optional.none(), 1] == [1]
1 < 1.5 && 2u > 1 && 1.0 <= 1 && dyn(1) == 1.0
"""

WRONG = {
    "quantity('x')": "'x' is not a quantity",
    "quantity('1.5').asInteger() == 1": "cannot convert value to integer",
    "semver('1.0')": "'1.0' is not a semantic version",
    "ip('x')": "does not appear to be",
    "cidr('10.0.0.0/99')": "parse error",
    "url('x')": "URL parse error",
    "[].max()": "max called on empty list",
    "object.max()": "no such overload",
    "'a'.find('(' + 'x')": "invalid regular expression",
    "format.named('no').value()": "dereference",
    "object.isGreaterThan(quantity('1'))": "no such overload",
    "[9223372036854775807, 1].sum()": "integer overflow",
    "{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k})": "already exists",
    "1 / 0": "division by zero",
    "[1][3]": "index out of bounds: 3",
    "lists.range(-1).size() + lists.range(1)[7]": "index out of bounds",
}

SINCE = {
    "quantity('1') == quantity('1')": (1, 28),
    "{'a': 1}.?a.hasValue()": (1, 28),
    "1 < 1.5": (1, 28),
    "'%s'.format(['a']) == 'a'": (1, 29),
    "sets.contains([1], [1])": (1, 29),
    "ip('::1').family() == 6": (1, 30),
    "isCIDR('::1/128')": (1, 30),
    "format.uuid().validate('x').hasValue()": (1, 31),
    "[1].all(i, v, v == 1)": (1, 32),
    "isSemver('1.0.0')": (1, 33),
    "[1, 1].distinct() == [1]": (1, 34),
    "[1].includes(1)": (1, 37),
}


@pytest.mark.parametrize("expression", TRUE.strip().splitlines())
def test_true(expression: str) -> None:
    assert value_of(expression) is True


@pytest.mark.parametrize(("expression", "message"), WRONG.items())
def test_error(expression: str, message: str) -> None:
    value = value_of(expression, object={"a": 1})
    assert isinstance(value, Failed)
    assert message in value.message


@pytest.mark.parametrize(("expression", "since"), SINCE.items())
def test_a_function_is_there_from_its_version_on(expression: str, since: tuple[int, int]) -> None:
    assert value_of(expression, since) is True
    with pytest.raises(CompileError):
        value_of(expression, (since[0], since[1] - 1))


def test_what_is_too_new_says_so() -> None:
    with pytest.raises(
        CompileError, match=r"`isIP` needs Kubernetes 1\.30, and the target is 1\.29"
    ):
        value_of("isIP('::1')", (1, 29))


@pytest.mark.parametrize(
    "expression",
    [
        "quantity('1') == 1",
        "quantity('1').isGreaterThan(semver('1.0.0'))",
        "quantity('1').amount == 1",
        "url('/') == '/'",
        "['a'].sum() == 'a'",
        "'a' + 1 == 'a1'",
        "1 == 1.0",
        "quantity('-2').sign() == -1",
        "cel.bind(x, 1, x == 1)",
        "math.greatest(1, 2) == 2",
        "base64.encode(b'a') == ''",
        "regex.extract('a', 'a').hasValue()",
        "strings.reverse('a') == 'a'",
        "[duration('1h')].max() == duration('1h')",
    ],
)
def test_what_the_api_server_or_we_do_not_have_does_not_compile(expression: str) -> None:
    with pytest.raises(CompileError):
        value_of(expression, (1, 34))


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        ("(a)(?P<n>b)(?:c)(?i)", "(?:a)(?:b)(?:c)(?i)"),
        (r"\(a[(](b)", r"\(a[(](?:b)"),
        (r"[^](](x)", r"[^](](?:x)"),
        (r"\Q(\E(y)", r"\Q(\E(?:y)"),
    ],
)
def test_patterns_lose_their_groups_and_nothing_else(pattern: str, plain: str) -> None:
    assert without_groups(pattern) == plain


def test_a_pattern_that_backtracks_elsewhere_does_not_here() -> None:
    assert value_of("('a' + object).find('(a+)+$') == ''", object="a" * 5000 + "!") is True
