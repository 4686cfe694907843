"""The node's own certificate authority: the key manager's certificate, and those of applications."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.utils import timezone

from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.link.door._link import write_secret
from renkei.link.door._store import node_of
from renkei.link.models import Sae

FOLDER = "link-ca"
CA_DAYS = 3650
SERVER_DAYS = 398
SAE_DAYS = 398
RENEW_DAYS = 30
QUOTA_BYTES_PER_HOUR = 64 << 20
FIRST_DAY = dt.timedelta(days=1)  # clocks differ


class SaeNameError(RenkeiError):
    """An application cannot have this name."""

    code = "link.sae_name"


class NoSaeError(NotFoundError):
    """No application of this name is known here."""

    code = "link.no_sae"


@dataclass(frozen=True)
class Issued:
    """What an application needs to draw keys: names of three files."""

    name: str
    certificate: Path
    key: Path
    ca: Path


def folder() -> Path:
    """Return where the authority keeps its files."""
    where: Path = settings.NODE.folder / "keys" / FOLDER
    return where


def ensure_authority() -> Path:
    """Make the node's authority and the key manager's certificate if they are missing or old.

    Returns:
        The folder with ``ca.crt``, ``kme.crt`` and ``kme.key``.
    """
    where = folder()
    where.mkdir(mode=0o700, exist_ok=True)
    if not (where / "ca.crt").exists():
        key = ec.generate_private_key(ec.SECP384R1())
        name = f"Renkei {settings.NODE.name} key manager authority"
        certificate = (
            _builder(name, name, key.public_key(), days=CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA384())
        )
        _write_key(where / "ca.key", key)
        write_secret(where / "ca.crt", _pem(certificate))
    if not (where / "kme.crt").exists() or _is_old(where / "kme.crt"):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _signed_by_us(kme_name(), key.public_key(), days=SERVER_DAYS).add_extension(
            x509.SubjectAlternativeName(_names_of_server()), critical=False
        )
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        _write_key(where / "kme.key", key)
        write_secret(where / "kme.crt", _pem(_sign(builder)))
    return where


def authority_key() -> ec.EllipticCurvePublicKey:
    """Return by what a certificate of this node's authority is known."""
    authority = x509.load_pem_x509_certificate((ensure_authority() / "ca.crt").read_bytes())
    key = authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SaeNameError(gettext_noop("keys/link-ca/ca.key is not the authority's key"))
    return key


def is_issued(der: bytes, authority: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether the authority made a certificate."""
    try:
        made = x509.load_der_x509_certificate(der)
        algorithm = made.signature_hash_algorithm
        if algorithm is None:
            return False
        authority.verify(made.signature, made.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def kme_name(node: str = "") -> str:
    """Return the identifier of a node's key management entity."""
    return f"{node or settings.NODE.name}.kme"


def add_sae(
    name: str,
    out: Path,
    *,
    loopback: bool = False,
    quota_bytes_per_hour: int = QUOTA_BYTES_PER_HOUR,
) -> Issued:
    """Make an application known, and issue its certificate and private key into a folder.

    Args:
        name: ``embassy`` becomes ``us.embassy`` on the node ``us``.
        out: where the files are written; the private key is kept nowhere else.
        loopback: whether it may draw keys for itself, to test the key manager.
        quota_bytes_per_hour: how much key it may draw.

    Raises:
        SaeNameError: the name cannot be used.
        ConflictError: the name is taken, also by one that was revoked.
    """
    node = settings.NODE.name
    full = name if node_of(name) == node and "." in name else f"{node}.{name}"
    letters = full.removeprefix(f"{node}.")
    if (
        not letters
        or len(full) > 64
        or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in letters)
    ):
        raise SaeNameError(
            gettext_noop(
                "SAE {name!r}: ASCII letters, digits, '-', '_' and '.', at most 64 in all"
            ),
            name=name,
        )
    if full == kme_name() or Sae.objects.filter(name=full).exists():
        raise ConflictError(gettext_noop("there is an SAE {name} already"), name=full)
    where = ensure_authority()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(
        _signed_by_us(full, key.public_key(), days=SAE_DAYS).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    )
    out.mkdir(parents=True, exist_ok=True)
    _write_key(out / f"{full}.key", key)
    write_secret(out / f"{full}.crt", _pem(certificate))
    write_secret(out / f"{node}-ca.crt", (where / "ca.crt").read_text("ascii"))
    Sae.objects.create(
        name=full,
        serial=f"{certificate.serial_number:x}",
        loopback=loopback,
        quota_bytes_per_hour=quota_bytes_per_hour,
        created_at=timezone.now(),
    )
    return Issued(full, out / f"{full}.crt", out / f"{full}.key", out / f"{node}-ca.crt")


def revoke_sae(name: str) -> None:
    """Refuse an application from now on.

    Raises:
        NoSaeError: it is not known.
    """
    if not Sae.objects.filter(name=name, revoked_at=None).update(revoked_at=timezone.now()):
        raise NoSaeError(gettext_noop("there is no SAE {name} here"), name=name)


def sae_of(common_name: str, serial: str) -> str | None:
    """Return the application that a verified certificate names, if it may call."""
    known = Sae.objects.filter(name=common_name, revoked_at=None).first()
    if known is None or known.serial.lower().lstrip("0") != serial.lower().lstrip("0"):
        return None
    return known.name


def _names_of_server() -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys([settings.NODE.listen.host, *settings.NODE.hosts]):
        bare = host.strip("[]")
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(bare)))
        except ValueError:
            names.append(x509.DNSName(bare))
    return names


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = timezone.now()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - FIRST_DAY)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _signed_by_us(
    subject: str, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    authority = x509.load_pem_x509_certificate((folder() / "ca.crt").read_bytes())
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    issuer = str(authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    return (
        _builder(subject, issuer, key, days=days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _sign(builder: x509.CertificateBuilder) -> x509.Certificate:
    key = serialization.load_pem_private_key((folder() / "ca.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SaeNameError(gettext_noop("keys/link-ca/ca.key is not the authority's key"))
    return builder.sign(key, hashes.SHA384())


def _is_old(file: Path) -> bool:
    """Tell whether a key manager's certificate ends soon, or is of when it had no client's use."""
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    used_for = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    ends_soon = certificate.not_valid_after_utc - timezone.now() < dt.timedelta(days=RENEW_DAYS)
    return ends_soon or ExtendedKeyUsageOID.CLIENT_AUTH not in used_for


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    write_secret(
        file,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii"),
    )
