"""What a relying party sees of a crowd's certificates: the exported log with every certificate in it, CRLs and OCSP answers
over HTTP. Signatures are verified with pyca/cryptography; nothing here asks Ward what it thinks."""

import collections
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

import verify_log
from crowd.device import serial_of
from prepared import issuer_hashes

DER = serialization.Encoding.DER


def exported(folder):
    """Every certificate of an exported log, by its SHA-256."""
    found = {}
    for path in sorted((folder / "certificates").rglob("*")):
        if path.is_file():
            for der in verify_log.split_prefixed(path.read_bytes(), 4):
                found[hashlib.sha256(der).hexdigest()] = x509.load_der_x509_certificate(der)
    return found


def by_serial(certificates, serials):
    """The devices' certificates, by the serial number in their subject."""
    found = collections.defaultdict(dict)
    for sha256, certificate in certificates.items():
        if (serial := serial_of(certificate)) in serials:
            found[serial][sha256] = certificate
    return found


class RelyingParty:
    """Trusts one root, and fetches the rest from where the certificates say that it is."""

    def __init__(self, hospital):
        self.hospital = hospital
        self.root = x509.load_pem_x509_certificate(hospital.root.read_bytes())
        self.issuers, self.lists = {}, {}

    def fetch(self, url, body=None, headers=None):
        status, _, content = self.hospital.public(url.removeprefix(self.hospital.public_url), body, headers)
        if status != 200:
            raise SystemExit(f"{url}: {status}")
        return content

    def issuer(self, certificate):
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        url = next(item.access_location.value for item in access if item.access_method == x509.AuthorityInformationAccessOID.CA_ISSUERS)
        if url not in self.issuers:
            issuer = x509.load_der_x509_certificate(self.fetch(url))
            issuer.verify_directly_issued_by(self.root)
            self.issuers[url] = issuer
        return self.issuers[url]

    def forget_lists(self):
        self.lists.clear()

    def revoked(self, certificate):
        """The serial numbers in the list that a certificate names."""
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        url = points[0].full_name[0].value
        if url not in self.lists:
            crl, now = x509.load_der_x509_crl(self.fetch(url)), datetime.datetime.now(datetime.timezone.utc)
            if not crl.is_signature_valid(self.issuer(certificate).public_key()):
                raise SystemExit(f"{url} is not signed by its issuer")
            if not crl.last_update_utc <= now <= crl.next_update_utc:
                raise SystemExit(f"{url} is of {crl.last_update_utc}")
            self.lists[url] = {entry.serial_number for entry in crl}
        return self.lists[url]

    def is_live(self, certificate):
        """Issued by whom it says, within its dates, and not revoked."""
        certificate.verify_directly_issued_by(self.issuer(certificate))
        now = datetime.datetime.now(datetime.timezone.utc)
        is_valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        return is_valid and certificate.serial_number not in self.revoked(certificate)

    def ocsp(self, certificate):
        """What the responder says, if it is one of the issuer's."""
        issuer = self.issuer(certificate)
        name_hash, key_hash = issuer_hashes(issuer)
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name_hash, key_hash, certificate.serial_number, hashes.SHA1())
        der = self.fetch("/ocsp", builder.build().public_bytes(DER), {"Content-Type": "application/ocsp-request"})
        answer = ocsp.load_der_ocsp_response(der)
        responder = answer.certificates[0]
        responder.verify_directly_issued_by(issuer)
        if x509.ExtendedKeyUsageOID.OCSP_SIGNING not in responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value:
            raise SystemExit("an OCSP answer is signed by a certificate that may not")
        responder.public_key().verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(answer.signature_hash_algorithm))
        if answer.serial_number != certificate.serial_number:
            raise SystemExit("an OCSP answer is about another certificate")
        return answer.certificate_status
