//! From certificates in a file to chains: a leaf with its issuers behind it is one place, a bundle of roots is many.

use x509::Certificate;

/// Longest chain in one observation.
const MAX_CHAIN: usize = 20;

/// Certificates in the order of the file, put into chains: each next one issued the one before it. Numbers are
/// positions in the file.
pub(super) fn chains(certificates: Vec<Certificate>) -> Vec<(usize, Vec<Certificate>)> {
    let mut chains: Vec<(usize, Vec<Certificate>)> = Vec::new();
    for (at, certificate) in certificates.into_iter().enumerate() {
        let follows = chains
            .last()
            .and_then(|(_, chain)| chain.last())
            .is_some_and(|last| {
                let issued = last.issuer().canonical_eq(certificate.subject());
                // Roots with the same name after one another are no chain.
                issued && !last.subject().canonical_eq(last.issuer())
            });
        match chains.last_mut() {
            Some((_, chain)) if follows && chain.len() < MAX_CHAIN => chain.push(certificate),
            _ => chains.push((at, vec![certificate])),
        }
    }
    chains
}
