//! The identifiers this crate knows: constant, content octets, customary name.
//!
//! Names are those of RFC 5280, RFC 5912 and OpenSSL; the dotted form stands beside the octets, and a
//! test holds the two against each other.

use super::Oid;

macro_rules! registry {
    ($($constant:ident = $dotted:literal $content:expr, $name:literal;)*) => {
        /// Well-known identifiers, as constants that can be matched on.
        pub mod oids {
            use super::Oid;
            $(
                #[doc = concat!($name, ", ", $dotted)]
                pub const $constant: Oid = Oid::from_bytes(&$content);
            )*
        }

        pub(super) const NAMES: &[(Oid, &str)] = &[$((oids::$constant, $name)),*];

        #[cfg(test)]
        const DOTTED: &[(Oid, &str)] = &[$((oids::$constant, $dotted)),*];
    };
}

registry! {
    COMMON_NAME = "2.5.4.3" [0x55, 4, 3], "commonName";
    SURNAME = "2.5.4.4" [0x55, 4, 4], "surname";
    SERIAL_NUMBER = "2.5.4.5" [0x55, 4, 5], "serialNumber";
    COUNTRY = "2.5.4.6" [0x55, 4, 6], "countryName";
    LOCALITY = "2.5.4.7" [0x55, 4, 7], "localityName";
    STATE = "2.5.4.8" [0x55, 4, 8], "stateOrProvinceName";
    STREET = "2.5.4.9" [0x55, 4, 9], "streetAddress";
    ORGANIZATION = "2.5.4.10" [0x55, 4, 0xa], "organizationName";
    ORGANIZATIONAL_UNIT = "2.5.4.11" [0x55, 4, 0xb], "organizationalUnitName";
    TITLE = "2.5.4.12" [0x55, 4, 0xc], "title";
    BUSINESS_CATEGORY = "2.5.4.15" [0x55, 4, 0xf], "businessCategory";
    POSTAL_CODE = "2.5.4.17" [0x55, 4, 0x11], "postalCode";
    NAME = "2.5.4.41" [0x55, 4, 0x29], "name";
    GIVEN_NAME = "2.5.4.42" [0x55, 4, 0x2a], "givenName";
    INITIALS = "2.5.4.43" [0x55, 4, 0x2b], "initials";
    GENERATION_QUALIFIER = "2.5.4.44" [0x55, 4, 0x2c], "generationQualifier";
    DN_QUALIFIER = "2.5.4.46" [0x55, 4, 0x2e], "dnQualifier";
    PSEUDONYM = "2.5.4.65" [0x55, 4, 0x41], "pseudonym";
    ORGANIZATION_IDENTIFIER = "2.5.4.97" [0x55, 4, 0x61], "organizationIdentifier";
    DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25" [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 0x19], "domainComponent";
    USER_ID = "0.9.2342.19200300.100.1.1" [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "userId";
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 1], "emailAddress";
    UNSTRUCTURED_NAME = "1.2.840.113549.1.9.2" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 2], "unstructuredName";
    UNSTRUCTURED_ADDRESS = "1.2.840.113549.1.9.8" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 8], "unstructuredAddress";
    CONTENT_TYPE = "1.2.840.113549.1.9.3" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 3], "contentType";
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 4], "messageDigest";
    SIGNING_TIME = "1.2.840.113549.1.9.5" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 5], "signingTime";
    CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 7], "challengePassword";
    EXTENSION_REQUEST = "1.2.840.113549.1.9.14" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 0xe], "extensionRequest";
    FRIENDLY_NAME = "1.2.840.113549.1.9.20" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 0x14], "friendlyName";
    LOCAL_KEY_ID = "1.2.840.113549.1.9.21" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 0x15], "localKeyId";
    X509_CERTIFICATE_BAG = "1.2.840.113549.1.9.22.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 9, 0x16, 1], "x509Certificate";
    MS_CERT_EXTENSIONS = "1.3.6.1.4.1.311.2.1.14" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 0xe], "msCertExtensions";
    MS_OS_VERSION = "1.3.6.1.4.1.311.13.2.3" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0xd, 2, 3], "msOsVersion";
    MS_CSP_INFO = "1.3.6.1.4.1.311.13.2.2" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0xd, 2, 2], "msEnrollmentCspProvider";
    MS_REQUEST_CLIENT_INFO = "1.3.6.1.4.1.311.21.20" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x15, 0x14], "msRequestClientInfo";
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 1], "rsaEncryption";
    MD2_RSA = "1.2.840.113549.1.1.2" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 2], "md2WithRSAEncryption";
    MD5_RSA = "1.2.840.113549.1.1.4" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 4], "md5WithRSAEncryption";
    SHA1_RSA = "1.2.840.113549.1.1.5" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 5], "sha1WithRSAEncryption";
    RSAES_OAEP = "1.2.840.113549.1.1.7" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 7], "rsaesOaep";
    P_SPECIFIED = "1.2.840.113549.1.1.9" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 9], "pSpecified";
    MGF1 = "1.2.840.113549.1.1.8" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 8], "mgf1";
    RSASSA_PSS = "1.2.840.113549.1.1.10" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xa], "rsassaPss";
    SHA256_RSA = "1.2.840.113549.1.1.11" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xb], "sha256WithRSAEncryption";
    SHA384_RSA = "1.2.840.113549.1.1.12" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xc], "sha384WithRSAEncryption";
    SHA512_RSA = "1.2.840.113549.1.1.13" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xd], "sha512WithRSAEncryption";
    SHA224_RSA = "1.2.840.113549.1.1.14" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 0xe], "sha224WithRSAEncryption";
    EC_PUBLIC_KEY = "1.2.840.10045.2.1" [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "ecPublicKey";
    ECDSA_SHA1 = "1.2.840.10045.4.1" [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ecdsaWithSHA1";
    ECDSA_SHA224 = "1.2.840.10045.4.3.1" [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1], "ecdsaWithSHA224";
    ECDSA_SHA256 = "1.2.840.10045.4.3.2" [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], "ecdsaWithSHA256";
    ECDSA_SHA384 = "1.2.840.10045.4.3.3" [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], "ecdsaWithSHA384";
    ECDSA_SHA512 = "1.2.840.10045.4.3.4" [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], "ecdsaWithSHA512";
    P256 = "1.2.840.10045.3.1.7" [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256";
    P384 = "1.3.132.0.34" [0x2b, 0x81, 4, 0, 0x22], "P-384";
    P521 = "1.3.132.0.35" [0x2b, 0x81, 4, 0, 0x23], "P-521";
    P224 = "1.3.132.0.33" [0x2b, 0x81, 4, 0, 0x21], "P-224";
    SECP256K1 = "1.3.132.0.10" [0x2b, 0x81, 4, 0, 0xa], "secp256k1";
    X25519 = "1.3.101.110" [0x2b, 0x65, 0x6e], "X25519";
    X448 = "1.3.101.111" [0x2b, 0x65, 0x6f], "X448";
    ED25519 = "1.3.101.112" [0x2b, 0x65, 0x70], "Ed25519";
    ED448 = "1.3.101.113" [0x2b, 0x65, 0x71], "Ed448";
    DSA = "1.2.840.10040.4.1" [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "dsa";
    DSA_SHA1 = "1.2.840.10040.4.3" [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "dsaWithSHA1";
    ML_DSA_44 = "2.16.840.1.101.3.4.3.17" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x11], "ML-DSA-44";
    ML_DSA_65 = "2.16.840.1.101.3.4.3.18" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x12], "ML-DSA-65";
    ML_DSA_87 = "2.16.840.1.101.3.4.3.19" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x13], "ML-DSA-87";
    MD5 = "1.2.840.113549.2.5" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 2, 5], "md5";
    SHA1 = "1.3.14.3.2.26" [0x2b, 0xe, 3, 2, 0x1a], "sha1";
    SHA256 = "2.16.840.1.101.3.4.2.1" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], "sha256";
    SHA384 = "2.16.840.1.101.3.4.2.2" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], "sha384";
    SHA512 = "2.16.840.1.101.3.4.2.3" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], "sha512";
    SHA224 = "2.16.840.1.101.3.4.2.4" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4], "sha224";
    HMAC_SHA1 = "1.2.840.113549.2.7" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 2, 7], "hmacWithSHA1";
    HMAC_SHA256 = "1.2.840.113549.2.9" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 2, 9], "hmacWithSHA256";
    HMAC_SHA384 = "1.2.840.113549.2.10" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 2, 0xa], "hmacWithSHA384";
    HMAC_SHA512 = "1.2.840.113549.2.11" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 2, 0xb], "hmacWithSHA512";
    AES128_CBC = "2.16.840.1.101.3.4.1.2" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2], "aes128-CBC";
    AES192_CBC = "2.16.840.1.101.3.4.1.22" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x16], "aes192-CBC";
    AES256_CBC = "2.16.840.1.101.3.4.1.42" [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a], "aes256-CBC";
    DES_CBC = "1.3.14.3.2.7" [0x2b, 0xe, 3, 2, 7], "desCBC";
    DES_EDE3_CBC = "1.2.840.113549.3.7" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 3, 7], "des-EDE3-CBC";
    RC2_CBC = "1.2.840.113549.3.2" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 3, 2], "rc2CBC";
    PBKDF2 = "1.2.840.113549.1.5.12" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 5, 0xc], "PBKDF2";
    PBES2 = "1.2.840.113549.1.5.13" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 5, 0xd], "PBES2";
    PBE_SHA1_3DES = "1.2.840.113549.1.12.1.3" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 0xc, 1, 3], "pbeWithSHAAnd3-KeyTripleDES-CBC";
    PBE_SHA1_RC2_40 = "1.2.840.113549.1.12.1.6" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 0xc, 1, 6], "pbeWithSHAAnd40BitRC2-CBC";
    KEY_BAG = "1.2.840.113549.1.12.10.1.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 0xc, 0xa, 1, 1], "keyBag";
    SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 0xc, 0xa, 1, 2], "pkcs8ShroudedKeyBag";
    CERT_BAG = "1.2.840.113549.1.12.10.1.3" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 0xc, 0xa, 1, 3], "certBag";
    DATA = "1.2.840.113549.1.7.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 7, 1], "data";
    SIGNED_DATA = "1.2.840.113549.1.7.2" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 7, 2], "signedData";
    ENVELOPED_DATA = "1.2.840.113549.1.7.3" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 7, 3], "envelopedData";
    ENCRYPTED_DATA = "1.2.840.113549.1.7.6" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 7, 6], "encryptedData";
    SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9" [0x55, 0x1d, 9], "subjectDirectoryAttributes";
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14" [0x55, 0x1d, 0xe], "subjectKeyIdentifier";
    KEY_USAGE = "2.5.29.15" [0x55, 0x1d, 0xf], "keyUsage";
    PRIVATE_KEY_USAGE_PERIOD = "2.5.29.16" [0x55, 0x1d, 0x10], "privateKeyUsagePeriod";
    SUBJECT_ALT_NAME = "2.5.29.17" [0x55, 0x1d, 0x11], "subjectAltName";
    ISSUER_ALT_NAME = "2.5.29.18" [0x55, 0x1d, 0x12], "issuerAltName";
    BASIC_CONSTRAINTS = "2.5.29.19" [0x55, 0x1d, 0x13], "basicConstraints";
    CRL_NUMBER = "2.5.29.20" [0x55, 0x1d, 0x14], "cRLNumber";
    CRL_REASON = "2.5.29.21" [0x55, 0x1d, 0x15], "reasonCode";
    INVALIDITY_DATE = "2.5.29.24" [0x55, 0x1d, 0x18], "invalidityDate";
    DELTA_CRL_INDICATOR = "2.5.29.27" [0x55, 0x1d, 0x1b], "deltaCRLIndicator";
    ISSUING_DISTRIBUTION_POINT = "2.5.29.28" [0x55, 0x1d, 0x1c], "issuingDistributionPoint";
    CERTIFICATE_ISSUER = "2.5.29.29" [0x55, 0x1d, 0x1d], "certificateIssuer";
    NAME_CONSTRAINTS = "2.5.29.30" [0x55, 0x1d, 0x1e], "nameConstraints";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31" [0x55, 0x1d, 0x1f], "cRLDistributionPoints";
    CERTIFICATE_POLICIES = "2.5.29.32" [0x55, 0x1d, 0x20], "certificatePolicies";
    ANY_POLICY = "2.5.29.32.0" [0x55, 0x1d, 0x20, 0], "anyPolicy";
    POLICY_MAPPINGS = "2.5.29.33" [0x55, 0x1d, 0x21], "policyMappings";
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35" [0x55, 0x1d, 0x23], "authorityKeyIdentifier";
    POLICY_CONSTRAINTS = "2.5.29.36" [0x55, 0x1d, 0x24], "policyConstraints";
    EXT_KEY_USAGE = "2.5.29.37" [0x55, 0x1d, 0x25], "extKeyUsage";
    ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0" [0x55, 0x1d, 0x25, 0], "anyExtendedKeyUsage";
    FRESHEST_CRL = "2.5.29.46" [0x55, 0x1d, 0x2e], "freshestCRL";
    INHIBIT_ANY_POLICY = "2.5.29.54" [0x55, 0x1d, 0x36], "inhibitAnyPolicy";
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1" [0x2b, 6, 1, 5, 5, 7, 1, 1], "authorityInfoAccess";
    QC_STATEMENTS = "1.3.6.1.5.5.7.1.3" [0x2b, 6, 1, 5, 5, 7, 1, 3], "qcStatements";
    SUBJECT_INFO_ACCESS = "1.3.6.1.5.5.7.1.11" [0x2b, 6, 1, 5, 5, 7, 1, 0xb], "subjectInfoAccess";
    TLS_FEATURE = "1.3.6.1.5.5.7.1.24" [0x2b, 6, 1, 5, 5, 7, 1, 0x18], "tlsFeature";
    AD_OCSP = "1.3.6.1.5.5.7.48.1" [0x2b, 6, 1, 5, 5, 7, 0x30, 1], "ocsp";
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1], "ocspBasic";
    OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2], "ocspNonce";
    OCSP_CRL_REFERENCE = "1.3.6.1.5.5.7.48.1.3" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 3], "ocspCrl";
    OCSP_RESPONSE = "1.3.6.1.5.5.7.48.1.4" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 4], "ocspResponse";
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5], "ocspNoCheck";
    OCSP_ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.6" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 6], "ocspArchiveCutoff";
    OCSP_PREF_SIG_ALGS = "1.3.6.1.5.5.7.48.1.8" [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 8], "ocspPreferredSignatureAlgorithms";
    AD_CA_ISSUERS = "1.3.6.1.5.5.7.48.2" [0x2b, 6, 1, 5, 5, 7, 0x30, 2], "caIssuers";
    AD_TIME_STAMPING = "1.3.6.1.5.5.7.48.3" [0x2b, 6, 1, 5, 5, 7, 0x30, 3], "adTimeStamping";
    AD_CA_REPOSITORY = "1.3.6.1.5.5.7.48.5" [0x2b, 6, 1, 5, 5, 7, 0x30, 5], "caRepository";
    QT_CPS = "1.3.6.1.5.5.7.2.1" [0x2b, 6, 1, 5, 5, 7, 2, 1], "cps";
    QT_UNOTICE = "1.3.6.1.5.5.7.2.2" [0x2b, 6, 1, 5, 5, 7, 2, 2], "userNotice";
    EKU_SERVER_AUTH = "1.3.6.1.5.5.7.3.1" [0x2b, 6, 1, 5, 5, 7, 3, 1], "serverAuth";
    EKU_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2" [0x2b, 6, 1, 5, 5, 7, 3, 2], "clientAuth";
    EKU_CODE_SIGNING = "1.3.6.1.5.5.7.3.3" [0x2b, 6, 1, 5, 5, 7, 3, 3], "codeSigning";
    EKU_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4" [0x2b, 6, 1, 5, 5, 7, 3, 4], "emailProtection";
    EKU_TIME_STAMPING = "1.3.6.1.5.5.7.3.8" [0x2b, 6, 1, 5, 5, 7, 3, 8], "timeStamping";
    EKU_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9" [0x2b, 6, 1, 5, 5, 7, 3, 9], "OCSPSigning";
    EKU_EAP_OVER_PPP = "1.3.6.1.5.5.7.3.13" [0x2b, 6, 1, 5, 5, 7, 3, 0xd], "eapOverPPP";
    EKU_EAP_OVER_LAN = "1.3.6.1.5.5.7.3.14" [0x2b, 6, 1, 5, 5, 7, 3, 0xe], "eapOverLAN";
    EKU_IPSEC_IKE = "1.3.6.1.5.5.7.3.17" [0x2b, 6, 1, 5, 5, 7, 3, 0x11], "ipsecIKE";
    EKU_CMC_CA = "1.3.6.1.5.5.7.3.27" [0x2b, 6, 1, 5, 5, 7, 3, 0x1b], "cmcCA";
    EKU_CMC_RA = "1.3.6.1.5.5.7.3.28" [0x2b, 6, 1, 5, 5, 7, 3, 0x1c], "cmcRA";
    EKU_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36" [0x2b, 6, 1, 5, 5, 7, 3, 0x24], "documentSigning";
    EKU_CONFIG_SIGNING = "1.3.6.1.5.5.7.3.41" [0x2b, 6, 1, 5, 5, 7, 3, 0x29], "configSigning";
    EKU_TRUST_ANCHOR_CONFIG_SIGNING = "1.3.6.1.5.5.7.3.42" [0x2b, 6, 1, 5, 5, 7, 3, 0x2a], "trustAnchorConfigSigning";
    EKU_UPDATE_SIGNING = "1.3.6.1.5.5.7.3.43" [0x2b, 6, 1, 5, 5, 7, 3, 0x2b], "updatePackageSigning";
    EKU_SAFETY_COMMUNICATION = "1.3.6.1.5.5.7.3.44" [0x2b, 6, 1, 5, 5, 7, 3, 0x2c], "safetyCommunication";
    EKU_IPSEC_INTERMEDIATE = "1.3.6.1.5.5.8.2.2" [0x2b, 6, 1, 5, 5, 8, 2, 2], "iKEIntermediate";
    EKU_MS_SMARTCARD_LOGON = "1.3.6.1.4.1.311.20.2.2" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 2], "msSmartcardLogin";
    EKU_PKINIT_CLIENT = "1.3.6.1.5.2.3.4" [0x2b, 6, 1, 5, 2, 3, 4], "pkInitClientAuth";
    EKU_PKINIT_KDC = "1.3.6.1.5.2.3.5" [0x2b, 6, 1, 5, 2, 3, 5], "pkInitKDC";
    SDC_PROVIDER = "1.2.840.10004.20701.1.1" [0x2a, 0x86, 0x48, 0xce, 0x14, 0x81, 0xa1, 0x5d, 1, 1], "sdcServiceProvider";
    SDC_CONSUMER = "1.2.840.10004.20701.1.2" [0x2a, 0x86, 0x48, 0xce, 0x14, 0x81, 0xa1, 0x5d, 1, 2], "sdcServiceConsumer";
    ON_DNS_SRV = "1.3.6.1.5.5.7.8.7" [0x2b, 6, 1, 5, 5, 7, 8, 7], "dNSSRV";
    ON_HARDWARE_MODULE_NAME = "1.3.6.1.5.5.7.8.4" [0x2b, 6, 1, 5, 5, 7, 8, 4], "hardwareModuleName";
    ON_SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9" [0x2b, 6, 1, 5, 5, 7, 8, 9], "smtpUTF8Mailbox";
    ON_UPN = "1.3.6.1.4.1.311.20.2.3" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3], "userPrincipalName";
    ON_PIV_FASC_N = "2.16.840.1.101.3.6.6" [0x60, 0x86, 0x48, 1, 0x65, 3, 6, 6], "pivFASC-N";
    MS_CERTIFICATE_TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2], "msCertificateTemplateName";
    MS_CERTIFICATE_TEMPLATE = "1.3.6.1.4.1.311.21.7" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x15, 7], "msCertificateTemplate";
    MS_CA_VERSION = "1.3.6.1.4.1.311.21.1" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x15, 1], "msCaVersion";
    MS_APPLICATION_POLICIES = "1.3.6.1.4.1.311.21.10" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x15, 0xa], "msApplicationPolicies";
    MS_SID_EXTENSION = "1.3.6.1.4.1.311.25.2" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x19, 2], "msNtdsCaSecurityExt";
    MS_SID_OBJECT = "1.3.6.1.4.1.311.25.2.1" [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x19, 2, 1], "msNtdsObjectSid";
    SCT_LIST = "1.3.6.1.4.1.11129.2.4.2" [0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2], "signedCertificateTimestampList";
    CT_POISON = "1.3.6.1.4.1.11129.2.4.3" [0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3], "ctPoison";
    NETSCAPE_CERT_TYPE = "2.16.840.1.113730.1.1" [0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1], "netscapeCertType";
    NETSCAPE_COMMENT = "2.16.840.1.113730.1.13" [0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 0xd], "netscapeComment";
    PASSWORD_BASED_MAC = "1.2.840.113533.7.66.13" [0x2a, 0x86, 0x48, 0x86, 0xf6, 0x7d, 7, 0x42, 0xd], "passwordBasedMac";
    DH_BASED_MAC = "1.2.840.113533.7.66.30" [0x2a, 0x86, 0x48, 0x86, 0xf6, 0x7d, 7, 0x42, 0x1e], "dhBasedMac";
    KEM_BASED_MAC = "1.2.840.113533.7.66.16" [0x2a, 0x86, 0x48, 0x86, 0xf6, 0x7d, 7, 0x42, 0x10], "kemBasedMac";
    PBMAC1 = "1.2.840.113549.1.5.14" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 5, 0xe], "PBMAC1";
    PKIX_HMAC_SHA1 = "1.3.6.1.5.5.8.1.2" [0x2b, 6, 1, 5, 5, 8, 1, 2], "hmac-sha1";
    IT_SIGN_KEY_PAIR_TYPES = "1.3.6.1.5.5.7.4.2" [0x2b, 6, 1, 5, 5, 7, 4, 2], "signKeyPairTypes";
    IT_CURRENT_CRL = "1.3.6.1.5.5.7.4.6" [0x2b, 6, 1, 5, 5, 7, 4, 6], "currentCRL";
    IT_UNSUPPORTED_OIDS = "1.3.6.1.5.5.7.4.7" [0x2b, 6, 1, 5, 5, 7, 4, 7], "unsupportedOIDs";
    IT_IMPLICIT_CONFIRM = "1.3.6.1.5.5.7.4.13" [0x2b, 6, 1, 5, 5, 7, 4, 0xd], "implicitConfirm";
    IT_CONFIRM_WAIT_TIME = "1.3.6.1.5.5.7.4.14" [0x2b, 6, 1, 5, 5, 7, 4, 0xe], "confirmWaitTime";
    IT_ORIG_PKI_MESSAGE = "1.3.6.1.5.5.7.4.15" [0x2b, 6, 1, 5, 5, 7, 4, 0xf], "origPKIMessage";
    IT_CA_CERTS = "1.3.6.1.5.5.7.4.17" [0x2b, 6, 1, 5, 5, 7, 4, 0x11], "caCerts";
    IT_ROOT_CA_KEY_UPDATE = "1.3.6.1.5.5.7.4.18" [0x2b, 6, 1, 5, 5, 7, 4, 0x12], "rootCaKeyUpdate";
    IT_CERT_REQ_TEMPLATE = "1.3.6.1.5.5.7.4.19" [0x2b, 6, 1, 5, 5, 7, 4, 0x13], "certReqTemplate";
    IT_ROOT_CA_CERT = "1.3.6.1.5.5.7.4.20" [0x2b, 6, 1, 5, 5, 7, 4, 0x14], "rootCaCert";
    IT_CERT_PROFILE = "1.3.6.1.5.5.7.4.21" [0x2b, 6, 1, 5, 5, 7, 4, 0x15], "certProfile";
    IT_CRL_STATUS_LIST = "1.3.6.1.5.5.7.4.22" [0x2b, 6, 1, 5, 5, 7, 4, 0x16], "crlStatusList";
    IT_CRLS = "1.3.6.1.5.5.7.4.23" [0x2b, 6, 1, 5, 5, 7, 4, 0x17], "crls";
    REG_CTRL_REG_TOKEN = "1.3.6.1.5.5.7.5.1.1" [0x2b, 6, 1, 5, 5, 7, 5, 1, 1], "regToken";
    REG_CTRL_OLD_CERT_ID = "1.3.6.1.5.5.7.5.1.5" [0x2b, 6, 1, 5, 5, 7, 5, 1, 5], "oldCertID";
    REG_CTRL_ALG_ID = "1.3.6.1.5.5.7.5.1.11" [0x2b, 6, 1, 5, 5, 7, 5, 1, 0xb], "algId";
    REG_CTRL_RSA_KEY_LEN = "1.3.6.1.5.5.7.5.1.12" [0x2b, 6, 1, 5, 5, 7, 5, 1, 0xc], "rsaKeyLen";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_octets_agree_with_the_dotted_form() {
        for (oid, dotted) in DOTTED {
            assert_eq!(oid.to_string(), *dotted);
            assert_eq!(dotted.parse::<Oid>().unwrap(), *oid);
            assert_eq!(Oid::from_content(oid.as_bytes()).unwrap(), *oid);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> =
            NAMES.iter().map(|(_, n)| n.to_ascii_lowercase()).collect();
        assert_eq!(names.len(), NAMES.len());
    }
}
