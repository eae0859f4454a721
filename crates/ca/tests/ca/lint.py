"""Lints certificates in one process (pkilint takes seconds to start): a line `file<TAB>finding` for
every finding of severity error or worse. A file that cannot be read is a finding."""

import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name

validators = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        document = loader.load_certificate(file.read(), path)
    for result in validators.validate(document.root):
        for finding in result.finding_descriptions:
            severity = finding.finding.severity
            if severity.name in ("ERROR", "FATAL"):
                print(f"{path}\t{severity.name} {finding.finding.code} {finding.message or ''} at {result.node.path}")
