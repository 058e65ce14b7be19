//! Ids from natural keys: the same line always gets the same id, so a repeated import changes nothing.

/// What an id stands for; the kinds never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    /// A transfer.
    Transfer,
    /// An account whose key is no number.
    Account,
    /// Free data of a record.
    Data,
}

impl IdKind {
    const fn tag(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Account => "account",
            Self::Data => "data",
        }
    }
}

/// The id of a natural key within a namespace: 128 bits of BLAKE3 over the parts, each with its
/// length before it, so that no two different keys run into the same bytes. Never 0 or MAX.
///
/// This is a promise to everyone who imported once: it must not change.
pub(crate) fn derive<'a>(
    kind: IdKind,
    namespace: &str,
    parts: impl IntoIterator<Item = &'a str>,
) -> u128 {
    let mut hasher = blake3::Hasher::new_derive_key("partita import 2026-01 natural key to id");
    let mut part = |text: &str| {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        hasher.update(&length.to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(kind.tag());
    part(namespace);
    parts.into_iter().for_each(part);
    // The output can be extended at will: should the first 16 bytes be no id, the next are.
    let mut output = hasher.finalize_xof();
    loop {
        let mut bytes = [0; 16];
        output.fill(&mut bytes);
        let id = u128::from_le_bytes(bytes);
        if id != 0 && id != u128::MAX {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_get_ids_that_differ() {
        let ids = [
            derive(IdKind::Transfer, "bank", ["1"]),
            derive(IdKind::Account, "bank", ["1"]),
            derive(IdKind::Data, "bank", ["1"]),
            derive(IdKind::Transfer, "bank", ["2"]),
            derive(IdKind::Transfer, "ban", ["k1"]),
            derive(IdKind::Transfer, "bank", ["1", ""]),
            derive(IdKind::Transfer, "bank", ["", "1"]),
            derive(IdKind::Transfer, "bank", []),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn the_same_key_keeps_its_id_for_ever() {
        // Changing the derivation would import everything a second time.
        let known = format!("{:032x}", derive(IdKind::Transfer, "berka", ["695247"]));
        assert_eq!(known, "ce67baaa73b6d0f82ecf310658978f23");
    }
}
