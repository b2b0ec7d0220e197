"""An authority of one test, with certificates for servers on loopback."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_BEGIN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_HERE = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
)
ELSEWHERE = (x509.DNSName("elsewhere.example.com"),)


@dataclass(frozen=True)
class Authority:
    """`path` is its certificate, what SSL_CERT_FILE names."""

    path: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def server(
        self, names: tuple[x509.GeneralName, ...] = _HERE, *, days: int = 36_500
    ) -> ssl.SSLContext:
        """What a server of these names needs; its certificate is good for so many days of 2020."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder("server", self.certificate.subject, key, days).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        file = self.path.with_name(f"server-{len(names)}.pem")
        file.write_bytes(_pem(made.sign(self.key, hashes.SHA256()), key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    limits = x509.BasicConstraints(ca=True, path_length=None)
    made = _builder("authority", name, key).add_extension(limits, critical=True)
    signed = made.sign(key, hashes.SHA256())
    path = folder / "authority.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return Authority(path, signed, key)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 36_500
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_BEGIN + dt.timedelta(days=days))
    )


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, plain)
    return certificate.public_bytes(form) + private
