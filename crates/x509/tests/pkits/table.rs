//! Every test of "Conformance Testing of Relying Party Client Certificate Path Processing Logic" (NIST
//! PKITS 1.0.1): number, end entity's file, settings, outcome. Where the document names the
//! user-constrained policy set, it stands in the outcome.

use x509::{Oid, oids};

use super::Expected::{self, *};

/// The inputs of RFC 5280 §6.1.1 (c), (e), (f), (g).
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Empty is any-policy.
    pub(crate) acceptable: &'static [Oid],
    pub(crate) require_explicit: bool,
    pub(crate) inhibit_mapping: bool,
    pub(crate) inhibit_any: bool,
}

const DEFAULT: Settings = Settings {
    acceptable: &[],
    require_explicit: false,
    inhibit_mapping: false,
    inhibit_any: false,
};
const EXPLICIT: Settings = explicit(&[]);
const INHIBIT_MAPPING: Settings = Settings {
    inhibit_mapping: true,
    ..DEFAULT
};
const INHIBIT_ANY: Settings = Settings {
    inhibit_any: true,
    ..DEFAULT
};

const fn acceptable(acceptable: &'static [Oid]) -> Settings {
    Settings {
        acceptable,
        ..DEFAULT
    }
}

const fn explicit(acceptable: &'static [Oid]) -> Settings {
    Settings {
        acceptable,
        require_explicit: true,
        ..DEFAULT
    }
}

/// NIST-test-policy-n, 2.16.840.1.101.3.2.1.48.n.
const fn policy(n: u8) -> Oid {
    Oid::from_bytes(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x02, 0x01, 0x30, n])
}

const P1: Oid = policy(1);
const P2: Oid = policy(2);
const P3: Oid = policy(3);
const P6: Oid = policy(6);
const ANY: Oid = oids::ANY_POLICY;

#[rustfmt::skip]
pub(crate) const TESTS: &[(&str, &str, Settings, Expected)] = &[
    // 4.1 Signature verification
    ("4.1.1", "ValidCertificatePathTest1EE", DEFAULT, Valid),
    ("4.1.2", "InvalidCASignatureTest2EE", DEFAULT, Invalid),
    ("4.1.3", "InvalidEESignatureTest3EE", DEFAULT, Invalid),
    ("4.1.4", "ValidDSASignaturesTest4EE", DEFAULT, Valid),
    ("4.1.5", "ValidDSAParameterInheritanceTest5EE", DEFAULT, Valid),
    ("4.1.6", "InvalidDSASignatureTest6EE", DEFAULT, Invalid),
    // 4.2 Validity periods
    ("4.2.1", "InvalidCAnotBeforeDateTest1EE", DEFAULT, Invalid),
    ("4.2.2", "InvalidEEnotBeforeDateTest2EE", DEFAULT, Invalid),
    ("4.2.3", "Validpre2000UTCnotBeforeDateTest3EE", DEFAULT, Valid),
    ("4.2.4", "ValidGeneralizedTimenotBeforeDateTest4EE", DEFAULT, Valid),
    ("4.2.5", "InvalidCAnotAfterDateTest5EE", DEFAULT, Invalid),
    ("4.2.6", "InvalidEEnotAfterDateTest6EE", DEFAULT, Invalid),
    ("4.2.7", "Invalidpre2000UTCEEnotAfterDateTest7EE", DEFAULT, Invalid),
    ("4.2.8", "ValidGeneralizedTimenotAfterDateTest8EE", DEFAULT, Valid),
    // 4.3 Verifying name chaining
    ("4.3.1", "InvalidNameChainingTest1EE", DEFAULT, Invalid),
    ("4.3.2", "InvalidNameChainingOrderTest2EE", DEFAULT, Invalid),
    ("4.3.3", "ValidNameChainingWhitespaceTest3EE", DEFAULT, Valid),
    ("4.3.4", "ValidNameChainingWhitespaceTest4EE", DEFAULT, Valid),
    ("4.3.5", "ValidNameChainingCapitalizationTest5EE", DEFAULT, Valid),
    ("4.3.6", "ValidNameUIDsTest6EE", DEFAULT, Valid),
    ("4.3.7", "ValidRFC3280MandatoryAttributeTypesTest7EE", DEFAULT, Valid),
    ("4.3.8", "ValidRFC3280OptionalAttributeTypesTest8EE", DEFAULT, Valid),
    ("4.3.9", "ValidUTF8StringEncodedNamesTest9EE", DEFAULT, Valid),
    ("4.3.10", "ValidRolloverfromPrintableStringtoUTF8StringTest10EE", DEFAULT, Valid),
    ("4.3.11", "ValidUTF8StringCaseInsensitiveMatchTest11EE", DEFAULT, Valid),
    // 4.4 Basic certificate revocation tests
    ("4.4.1", "InvalidMissingCRLTest1EE", DEFAULT, Invalid),
    ("4.4.2", "InvalidRevokedCATest2EE", DEFAULT, Invalid),
    ("4.4.3", "InvalidRevokedEETest3EE", DEFAULT, Invalid),
    ("4.4.4", "InvalidBadCRLSignatureTest4EE", DEFAULT, Invalid),
    ("4.4.5", "InvalidBadCRLIssuerNameTest5EE", DEFAULT, Invalid),
    ("4.4.6", "InvalidWrongCRLTest6EE", DEFAULT, Invalid),
    ("4.4.7", "ValidTwoCRLsTest7EE", DEFAULT, Valid),
    ("4.4.8", "InvalidUnknownCRLEntryExtensionTest8EE", DEFAULT, Invalid),
    ("4.4.9", "InvalidUnknownCRLExtensionTest9EE", DEFAULT, Invalid),
    ("4.4.10", "InvalidUnknownCRLExtensionTest10EE", DEFAULT, Invalid),
    ("4.4.11", "InvalidOldCRLnextUpdateTest11EE", DEFAULT, Invalid),
    ("4.4.12", "Invalidpre2000CRLnextUpdateTest12EE", DEFAULT, Invalid),
    ("4.4.13", "ValidGeneralizedTimeCRLnextUpdateTest13EE", DEFAULT, Valid),
    ("4.4.14", "ValidNegativeSerialNumberTest14EE", DEFAULT, Valid),
    ("4.4.15", "InvalidNegativeSerialNumberTest15EE", DEFAULT, Invalid),
    ("4.4.16", "ValidLongSerialNumberTest16EE", DEFAULT, Valid),
    ("4.4.17", "ValidLongSerialNumberTest17EE", DEFAULT, Valid),
    ("4.4.18", "InvalidLongSerialNumberTest18EE", DEFAULT, Invalid),
    ("4.4.19", "ValidSeparateCertificateandCRLKeysTest19EE", DEFAULT, Valid),
    ("4.4.20", "InvalidSeparateCertificateandCRLKeysTest20EE", DEFAULT, Invalid),
    ("4.4.21", "InvalidSeparateCertificateandCRLKeysTest21EE", DEFAULT, Invalid),
    // 4.5 Verifying paths with self-issued certificates
    ("4.5.1", "ValidBasicSelfIssuedOldWithNewTest1EE", DEFAULT, Valid),
    ("4.5.2", "InvalidBasicSelfIssuedOldWithNewTest2EE", DEFAULT, Invalid),
    ("4.5.3", "ValidBasicSelfIssuedNewWithOldTest3EE", DEFAULT, Valid),
    ("4.5.4", "ValidBasicSelfIssuedNewWithOldTest4EE", DEFAULT, Valid),
    ("4.5.5", "InvalidBasicSelfIssuedNewWithOldTest5EE", DEFAULT, Invalid),
    ("4.5.6", "ValidBasicSelfIssuedCRLSigningKeyTest6EE", DEFAULT, Valid),
    ("4.5.7", "InvalidBasicSelfIssuedCRLSigningKeyTest7EE", DEFAULT, Invalid),
    ("4.5.8", "InvalidBasicSelfIssuedCRLSigningKeyTest8EE", DEFAULT, Invalid),
    // 4.6 Verifying basic constraints
    ("4.6.1", "InvalidMissingbasicConstraintsTest1EE", DEFAULT, Invalid),
    ("4.6.2", "InvalidcAFalseTest2EE", DEFAULT, Invalid),
    ("4.6.3", "InvalidcAFalseTest3EE", DEFAULT, Invalid),
    ("4.6.4", "ValidbasicConstraintsNotCriticalTest4EE", DEFAULT, Valid),
    ("4.6.5", "InvalidpathLenConstraintTest5EE", DEFAULT, Invalid),
    ("4.6.6", "InvalidpathLenConstraintTest6EE", DEFAULT, Invalid),
    ("4.6.7", "ValidpathLenConstraintTest7EE", DEFAULT, Valid),
    ("4.6.8", "ValidpathLenConstraintTest8EE", DEFAULT, Valid),
    ("4.6.9", "InvalidpathLenConstraintTest9EE", DEFAULT, Invalid),
    ("4.6.10", "InvalidpathLenConstraintTest10EE", DEFAULT, Invalid),
    ("4.6.11", "InvalidpathLenConstraintTest11EE", DEFAULT, Invalid),
    ("4.6.12", "InvalidpathLenConstraintTest12EE", DEFAULT, Invalid),
    ("4.6.13", "ValidpathLenConstraintTest13EE", DEFAULT, Valid),
    ("4.6.14", "ValidpathLenConstraintTest14EE", DEFAULT, Valid),
    ("4.6.15", "ValidSelfIssuedpathLenConstraintTest15EE", DEFAULT, Valid),
    ("4.6.16", "InvalidSelfIssuedpathLenConstraintTest16EE", DEFAULT, Invalid),
    ("4.6.17", "ValidSelfIssuedpathLenConstraintTest17EE", DEFAULT, Valid),
    // 4.7 Key usage
    ("4.7.1", "InvalidkeyUsageCriticalkeyCertSignFalseTest1EE", DEFAULT, Invalid),
    ("4.7.2", "InvalidkeyUsageNotCriticalkeyCertSignFalseTest2EE", DEFAULT, Invalid),
    ("4.7.3", "ValidkeyUsageNotCriticalTest3EE", DEFAULT, Valid),
    ("4.7.4", "InvalidkeyUsageCriticalcRLSignFalseTest4EE", DEFAULT, Invalid),
    ("4.7.5", "InvalidkeyUsageNotCriticalcRLSignFalseTest5EE", DEFAULT, Invalid),
    // 4.8 Certificate policies
    ("4.8.1.1", "ValidCertificatePathTest1EE", EXPLICIT, Policies(&[P1])),
    ("4.8.1.2", "ValidCertificatePathTest1EE", explicit(&[P1]), Policies(&[P1])),
    ("4.8.1.3", "ValidCertificatePathTest1EE", explicit(&[P2]), Invalid),
    ("4.8.1.4", "ValidCertificatePathTest1EE", explicit(&[P1, P2]), Policies(&[P1])),
    ("4.8.2.1", "AllCertificatesNoPoliciesTest2EE", DEFAULT, Policies(&[])),
    ("4.8.2.2", "AllCertificatesNoPoliciesTest2EE", EXPLICIT, Invalid),
    ("4.8.3.1", "DifferentPoliciesTest3EE", DEFAULT, Policies(&[])),
    ("4.8.3.2", "DifferentPoliciesTest3EE", EXPLICIT, Invalid),
    ("4.8.3.3", "DifferentPoliciesTest3EE", explicit(&[P1, P2]), Invalid),
    ("4.8.4", "DifferentPoliciesTest4EE", DEFAULT, Invalid),
    ("4.8.5", "DifferentPoliciesTest5EE", DEFAULT, Invalid),
    ("4.8.6.1", "OverlappingPoliciesTest6EE", DEFAULT, Policies(&[P1])),
    ("4.8.6.2", "OverlappingPoliciesTest6EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.6.3", "OverlappingPoliciesTest6EE", acceptable(&[P2]), Invalid),
    ("4.8.7", "DifferentPoliciesTest7EE", DEFAULT, Invalid),
    ("4.8.8", "DifferentPoliciesTest8EE", DEFAULT, Invalid),
    ("4.8.9", "DifferentPoliciesTest9EE", DEFAULT, Invalid),
    ("4.8.10.1", "AllCertificatesSamePoliciesTest10EE", DEFAULT, Policies(&[P1, P2])),
    ("4.8.10.2", "AllCertificatesSamePoliciesTest10EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.10.3", "AllCertificatesSamePoliciesTest10EE", acceptable(&[P2]), Policies(&[P2])),
    ("4.8.11.1", "AllCertificatesanyPolicyTest11EE", DEFAULT, Policies(&[ANY])),
    ("4.8.11.2", "AllCertificatesanyPolicyTest11EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.12", "DifferentPoliciesTest12EE", DEFAULT, Invalid),
    ("4.8.13.1", "AllCertificatesSamePoliciesTest13EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.13.2", "AllCertificatesSamePoliciesTest13EE", acceptable(&[P2]), Policies(&[P2])),
    ("4.8.13.3", "AllCertificatesSamePoliciesTest13EE", acceptable(&[P3]), Policies(&[P3])),
    ("4.8.14.1", "AnyPolicyTest14EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.14.2", "AnyPolicyTest14EE", acceptable(&[P2]), Invalid),
    ("4.8.15", "UserNoticeQualifierTest15EE", DEFAULT, Valid),
    ("4.8.16", "UserNoticeQualifierTest16EE", DEFAULT, Valid),
    ("4.8.17", "UserNoticeQualifierTest17EE", DEFAULT, Valid),
    ("4.8.18.1", "UserNoticeQualifierTest18EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.8.18.2", "UserNoticeQualifierTest18EE", acceptable(&[P2]), Policies(&[P2])),
    ("4.8.19", "UserNoticeQualifierTest19EE", DEFAULT, Valid),
    ("4.8.20", "CPSPointerQualifierTest20EE", DEFAULT, Valid),
    // 4.9 Require explicit policy
    ("4.9.1", "ValidrequireExplicitPolicyTest1EE", DEFAULT, Valid),
    ("4.9.2", "ValidrequireExplicitPolicyTest2EE", DEFAULT, Valid),
    ("4.9.3", "InvalidrequireExplicitPolicyTest3EE", DEFAULT, Invalid),
    ("4.9.4", "ValidrequireExplicitPolicyTest4EE", DEFAULT, Valid),
    ("4.9.5", "InvalidrequireExplicitPolicyTest5EE", DEFAULT, Invalid),
    ("4.9.6", "ValidSelfIssuedrequireExplicitPolicyTest6EE", DEFAULT, Valid),
    ("4.9.7", "InvalidSelfIssuedrequireExplicitPolicyTest7EE", DEFAULT, Invalid),
    ("4.9.8", "InvalidSelfIssuedrequireExplicitPolicyTest8EE", DEFAULT, Invalid),
    // 4.10 Policy mappings
    ("4.10.1.1", "ValidPolicyMappingTest1EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.10.1.2", "ValidPolicyMappingTest1EE", acceptable(&[P2]), Invalid),
    ("4.10.1.3", "ValidPolicyMappingTest1EE", INHIBIT_MAPPING, Invalid),
    ("4.10.2.1", "InvalidPolicyMappingTest2EE", DEFAULT, Invalid),
    ("4.10.2.2", "InvalidPolicyMappingTest2EE", INHIBIT_MAPPING, Invalid),
    ("4.10.3.1", "ValidPolicyMappingTest3EE", acceptable(&[P1]), Invalid),
    ("4.10.3.2", "ValidPolicyMappingTest3EE", acceptable(&[P2]), Policies(&[P2])),
    ("4.10.4", "InvalidPolicyMappingTest4EE", DEFAULT, Invalid),
    ("4.10.5.1", "ValidPolicyMappingTest5EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.10.5.2", "ValidPolicyMappingTest5EE", acceptable(&[P6]), Invalid),
    ("4.10.6.1", "ValidPolicyMappingTest6EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.10.6.2", "ValidPolicyMappingTest6EE", acceptable(&[P6]), Invalid),
    ("4.10.7", "InvalidMappingFromanyPolicyTest7EE", DEFAULT, Invalid),
    ("4.10.8", "InvalidMappingToanyPolicyTest8EE", DEFAULT, Invalid),
    ("4.10.9", "ValidPolicyMappingTest9EE", DEFAULT, Valid),
    ("4.10.10", "InvalidPolicyMappingTest10EE", DEFAULT, Invalid),
    ("4.10.11", "ValidPolicyMappingTest11EE", DEFAULT, Valid),
    ("4.10.12.1", "ValidPolicyMappingTest12EE", acceptable(&[P1]), Policies(&[P1])),
    ("4.10.12.2", "ValidPolicyMappingTest12EE", acceptable(&[P2]), Policies(&[P2])),
    ("4.10.13", "ValidPolicyMappingTest13EE", DEFAULT, Valid),
    ("4.10.14", "ValidPolicyMappingTest14EE", DEFAULT, Valid),
    // 4.11 Inhibit policy mapping
    ("4.11.1", "InvalidinhibitPolicyMappingTest1EE", DEFAULT, Invalid),
    ("4.11.2", "ValidinhibitPolicyMappingTest2EE", DEFAULT, Valid),
    ("4.11.3", "InvalidinhibitPolicyMappingTest3EE", DEFAULT, Invalid),
    ("4.11.4", "ValidinhibitPolicyMappingTest4EE", DEFAULT, Valid),
    ("4.11.5", "InvalidinhibitPolicyMappingTest5EE", DEFAULT, Invalid),
    ("4.11.6", "InvalidinhibitPolicyMappingTest6EE", DEFAULT, Invalid),
    ("4.11.7", "ValidSelfIssuedinhibitPolicyMappingTest7EE", DEFAULT, Valid),
    ("4.11.8", "InvalidSelfIssuedinhibitPolicyMappingTest8EE", DEFAULT, Invalid),
    ("4.11.9", "InvalidSelfIssuedinhibitPolicyMappingTest9EE", DEFAULT, Invalid),
    ("4.11.10", "InvalidSelfIssuedinhibitPolicyMappingTest10EE", DEFAULT, Invalid),
    ("4.11.11", "InvalidSelfIssuedinhibitPolicyMappingTest11EE", DEFAULT, Invalid),
    // 4.12 Inhibit any policy
    ("4.12.1", "InvalidinhibitAnyPolicyTest1EE", DEFAULT, Invalid),
    ("4.12.2", "ValidinhibitAnyPolicyTest2EE", DEFAULT, Valid),
    ("4.12.3.1", "inhibitAnyPolicyTest3EE", DEFAULT, Valid),
    ("4.12.3.2", "inhibitAnyPolicyTest3EE", INHIBIT_ANY, Invalid),
    ("4.12.4", "InvalidinhibitAnyPolicyTest4EE", DEFAULT, Invalid),
    ("4.12.5", "InvalidinhibitAnyPolicyTest5EE", DEFAULT, Invalid),
    ("4.12.6", "InvalidinhibitAnyPolicyTest6EE", DEFAULT, Invalid),
    ("4.12.7", "ValidSelfIssuedinhibitAnyPolicyTest7EE", DEFAULT, Valid),
    ("4.12.8", "InvalidSelfIssuedinhibitAnyPolicyTest8EE", DEFAULT, Invalid),
    ("4.12.9", "ValidSelfIssuedinhibitAnyPolicyTest9EE", DEFAULT, Valid),
    ("4.12.10", "InvalidSelfIssuedinhibitAnyPolicyTest10EE", DEFAULT, Invalid),
    // 4.13 Name constraints
    ("4.13.1", "ValidDNnameConstraintsTest1EE", DEFAULT, Valid),
    ("4.13.2", "InvalidDNnameConstraintsTest2EE", DEFAULT, Invalid),
    ("4.13.3", "InvalidDNnameConstraintsTest3EE", DEFAULT, Invalid),
    ("4.13.4", "ValidDNnameConstraintsTest4EE", DEFAULT, Valid),
    ("4.13.5", "ValidDNnameConstraintsTest5EE", DEFAULT, Valid),
    ("4.13.6", "ValidDNnameConstraintsTest6EE", DEFAULT, Valid),
    ("4.13.7", "InvalidDNnameConstraintsTest7EE", DEFAULT, Invalid),
    ("4.13.8", "InvalidDNnameConstraintsTest8EE", DEFAULT, Invalid),
    ("4.13.9", "InvalidDNnameConstraintsTest9EE", DEFAULT, Invalid),
    ("4.13.10", "InvalidDNnameConstraintsTest10EE", DEFAULT, Invalid),
    ("4.13.11", "ValidDNnameConstraintsTest11EE", DEFAULT, Valid),
    ("4.13.12", "InvalidDNnameConstraintsTest12EE", DEFAULT, Invalid),
    ("4.13.13", "InvalidDNnameConstraintsTest13EE", DEFAULT, Invalid),
    ("4.13.14", "ValidDNnameConstraintsTest14EE", DEFAULT, Valid),
    ("4.13.15", "InvalidDNnameConstraintsTest15EE", DEFAULT, Invalid),
    ("4.13.16", "InvalidDNnameConstraintsTest16EE", DEFAULT, Invalid),
    ("4.13.17", "InvalidDNnameConstraintsTest17EE", DEFAULT, Invalid),
    ("4.13.18", "ValidDNnameConstraintsTest18EE", DEFAULT, Valid),
    ("4.13.19", "ValidDNnameConstraintsTest19EE", DEFAULT, Valid),
    ("4.13.20", "InvalidDNnameConstraintsTest20EE", DEFAULT, Invalid),
    ("4.13.21", "ValidRFC822nameConstraintsTest21EE", DEFAULT, Valid),
    ("4.13.22", "InvalidRFC822nameConstraintsTest22EE", DEFAULT, Invalid),
    ("4.13.23", "ValidRFC822nameConstraintsTest23EE", DEFAULT, Valid),
    ("4.13.24", "InvalidRFC822nameConstraintsTest24EE", DEFAULT, Invalid),
    ("4.13.25", "ValidRFC822nameConstraintsTest25EE", DEFAULT, Valid),
    ("4.13.26", "InvalidRFC822nameConstraintsTest26EE", DEFAULT, Invalid),
    ("4.13.27", "ValidDNandRFC822nameConstraintsTest27EE", DEFAULT, Valid),
    ("4.13.28", "InvalidDNandRFC822nameConstraintsTest28EE", DEFAULT, Invalid),
    ("4.13.29", "InvalidDNandRFC822nameConstraintsTest29EE", DEFAULT, Invalid),
    ("4.13.30", "ValidDNSnameConstraintsTest30EE", DEFAULT, Valid),
    ("4.13.31", "InvalidDNSnameConstraintsTest31EE", DEFAULT, Invalid),
    ("4.13.32", "ValidDNSnameConstraintsTest32EE", DEFAULT, Valid),
    ("4.13.33", "InvalidDNSnameConstraintsTest33EE", DEFAULT, Invalid),
    ("4.13.34", "ValidURInameConstraintsTest34EE", DEFAULT, Valid),
    ("4.13.35", "InvalidURInameConstraintsTest35EE", DEFAULT, Invalid),
    ("4.13.36", "ValidURInameConstraintsTest36EE", DEFAULT, Valid),
    ("4.13.37", "InvalidURInameConstraintsTest37EE", DEFAULT, Invalid),
    ("4.13.38", "InvalidDNSnameConstraintsTest38EE", DEFAULT, Invalid),
    // 4.14 Distribution points
    ("4.14.1", "ValiddistributionPointTest1EE", DEFAULT, Valid),
    ("4.14.2", "InvaliddistributionPointTest2EE", DEFAULT, Invalid),
    ("4.14.3", "InvaliddistributionPointTest3EE", DEFAULT, Invalid),
    ("4.14.4", "ValiddistributionPointTest4EE", DEFAULT, Valid),
    ("4.14.5", "ValiddistributionPointTest5EE", DEFAULT, Valid),
    ("4.14.6", "InvaliddistributionPointTest6EE", DEFAULT, Invalid),
    ("4.14.7", "ValiddistributionPointTest7EE", DEFAULT, Valid),
    ("4.14.8", "InvaliddistributionPointTest8EE", DEFAULT, Invalid),
    ("4.14.9", "InvaliddistributionPointTest9EE", DEFAULT, Invalid),
    ("4.14.10", "ValidNoissuingDistributionPointTest10EE", DEFAULT, Valid),
    ("4.14.11", "InvalidonlyContainsUserCertsTest11EE", DEFAULT, Invalid),
    ("4.14.12", "InvalidonlyContainsCACertsTest12EE", DEFAULT, Invalid),
    ("4.14.13", "ValidonlyContainsCACertsTest13EE", DEFAULT, Valid),
    ("4.14.14", "InvalidonlyContainsAttributeCertsTest14EE", DEFAULT, Invalid),
    ("4.14.15", "InvalidonlySomeReasonsTest15EE", DEFAULT, Invalid),
    ("4.14.16", "InvalidonlySomeReasonsTest16EE", DEFAULT, Invalid),
    ("4.14.17", "InvalidonlySomeReasonsTest17EE", DEFAULT, Invalid),
    ("4.14.18", "ValidonlySomeReasonsTest18EE", DEFAULT, Valid),
    ("4.14.19", "ValidonlySomeReasonsTest19EE", DEFAULT, Valid),
    ("4.14.20", "InvalidonlySomeReasonsTest20EE", DEFAULT, Invalid),
    ("4.14.21", "InvalidonlySomeReasonsTest21EE", DEFAULT, Invalid),
    ("4.14.22", "ValidIDPwithindirectCRLTest22EE", DEFAULT, Valid),
    ("4.14.23", "InvalidIDPwithindirectCRLTest23EE", DEFAULT, Invalid),
    ("4.14.24", "ValidIDPwithindirectCRLTest24EE", DEFAULT, Valid),
    ("4.14.25", "ValidIDPwithindirectCRLTest25EE", DEFAULT, Valid),
    ("4.14.26", "InvalidIDPwithindirectCRLTest26EE", DEFAULT, Invalid),
    ("4.14.27", "InvalidcRLIssuerTest27EE", DEFAULT, Invalid),
    ("4.14.28", "ValidcRLIssuerTest28EE", DEFAULT, Valid),
    ("4.14.29", "ValidcRLIssuerTest29EE", DEFAULT, Valid),
    ("4.14.30", "ValidcRLIssuerTest30EE", DEFAULT, Valid),
    ("4.14.31", "InvalidcRLIssuerTest31EE", DEFAULT, Invalid),
    ("4.14.32", "InvalidcRLIssuerTest32EE", DEFAULT, Invalid),
    ("4.14.33", "ValidcRLIssuerTest33EE", DEFAULT, Valid),
    ("4.14.34", "InvalidcRLIssuerTest34EE", DEFAULT, Invalid),
    ("4.14.35", "InvalidcRLIssuerTest35EE", DEFAULT, Invalid),
    // 4.15 Delta CRLs
    ("4.15.1", "InvaliddeltaCRLIndicatorNoBaseTest1EE", DEFAULT, Invalid),
    ("4.15.2", "ValiddeltaCRLTest2EE", DEFAULT, Valid),
    ("4.15.3", "InvaliddeltaCRLTest3EE", DEFAULT, Invalid),
    ("4.15.4", "InvaliddeltaCRLTest4EE", DEFAULT, Invalid),
    ("4.15.5", "ValiddeltaCRLTest5EE", DEFAULT, Valid),
    ("4.15.6", "InvaliddeltaCRLTest6EE", DEFAULT, Invalid),
    ("4.15.7", "ValiddeltaCRLTest7EE", DEFAULT, Valid),
    ("4.15.8", "ValiddeltaCRLTest8EE", DEFAULT, Valid),
    ("4.15.9", "InvaliddeltaCRLTest9EE", DEFAULT, Invalid),
    ("4.15.10", "InvaliddeltaCRLTest10EE", DEFAULT, Invalid),
    // 4.16 Private certificate extensions
    ("4.16.1", "ValidUnknownNotCriticalCertificateExtensionTest1EE", DEFAULT, Valid),
    ("4.16.2", "InvalidUnknownCriticalCertificateExtensionTest2EE", DEFAULT, Invalid),
];
