//! Finding one certificate by what a person types: its SHA-256 or its serial number in hex, or as much of the
//! beginning of either as is unambiguous.

use access::Refusal;
use store::params;

use crate::{Ca, CaError, Result, StoredCertificate};

/// Fewer digits than this are a slip of the finger, not an id.
const FEWEST_DIGITS: usize = 4;
const SHA256_BYTES: usize = 32;
/// RFC 5280 §4.1.2.2.
const SERIAL_BYTES: usize = 20;
/// Enough to see that there are several.
const SHOWN: i64 = 3;

impl Ca {
    /// The certificate that `id` names. Colons and case do not matter.
    pub async fn find_certificate(&self, id: &str) -> Result<StoredCertificate> {
        let digits: String = id
            .chars()
            .filter(|c| *c != ':')
            .collect::<String>()
            .to_ascii_lowercase();
        let readable = digits.len() >= FEWEST_DIGITS && digits.len() <= 2 * SHA256_BYTES;
        if !readable || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CaError::not_found("certificate", id));
        }
        let mut found = self.by_sha256(&digits).await?;
        if digits.len() <= 2 * SERIAL_BYTES {
            found.extend(self.by_serial(&digits).await?);
        }
        found.dedup();
        match found.as_slice() {
            [] => Err(CaError::not_found("certificate", id)),
            [sha256] => {
                let certificate = self.certificate(sha256).await?;
                certificate.ok_or_else(|| CaError::not_found("certificate", id))
            }
            several => {
                let shown: Vec<String> = several.iter().map(hex::encode).collect();
                let refusal = Refusal::new(
                    "certificate.ambiguous",
                    "docs/cli.md",
                    format!("more than one certificate begins with {id}"),
                );
                Err(refusal
                    .accepted(format!("more digits, for example of {}", shown.join(", ")))
                    .into())
            }
        }
    }

    async fn by_sha256(&self, digits: &str) -> Result<Vec<[u8; 32]>> {
        let Some((first, last)) = range(digits, SHA256_BYTES) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT sha256 FROM certificates WHERE sha256 >= $1 AND sha256 <= $2 ORDER BY sha256 LIMIT $3";
        self.fingerprints(sql, params![first, last, SHOWN]).await
    }

    async fn by_serial(&self, digits: &str) -> Result<Vec<[u8; 32]>> {
        let Some((first, last)) = range(digits, SERIAL_BYTES) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT sha256 FROM certificates WHERE issuer = $1 AND serial >= $2 AND serial <= $3 ORDER BY serial LIMIT $4";
        let mut found = Vec::new();
        // By issuer, because that is how serial numbers are indexed.
        for issuer in self.issuers() {
            found.extend(
                self.fingerprints(
                    sql,
                    params![issuer.name(), first.clone(), last.clone(), SHOWN],
                )
                .await?,
            );
        }
        Ok(found)
    }

    async fn fingerprints(
        &self,
        sql: &'static str,
        params: Vec<store::Value>,
    ) -> Result<Vec<[u8; 32]>> {
        let rows = self.store().query(sql, params).await?;
        let read = |row: &store::Row| {
            row.blob(0)?
                .try_into()
                .map_err(|_| CaError::Damaged("certificates"))
        };
        rows.iter().map(read).collect()
    }
}

/// The first and the last value of at most `bytes` bytes that begin with these digits.
fn range(digits: &str, bytes: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let even = digits.len() + digits.len() % 2;
    let first = hex::decode(format!("{digits:0<even$}")).ok()?;
    let last = hex::decode(format!("{digits:f<width$}", width = 2 * bytes)).ok()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_prefix_covers_what_begins_with_it_and_nothing_else() {
        let table = [
            ("4f0a", "4f0a", "4f0affff"),
            ("4f0", "4f00", "4f0fffff"),
            ("4f0a91ab", "4f0a91ab", "4f0a91ab"),
        ];
        for (digits, first, last) in table {
            let expected = Some((hex::decode(first).unwrap(), hex::decode(last).unwrap()));
            assert_eq!(range(digits, 4), expected, "{digits}");
        }
    }
}
