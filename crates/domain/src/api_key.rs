//! The secret of an API key: how it is made, recognised and hashed. 256 bits need no slow hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::Entropy;
use crate::tenant::KeyKind;

/// An API key as its holder has it: `ck_live_` or `ck_test_` and 43 characters. Never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// A new one.
    pub fn generate(entropy: &dyn Entropy, kind: KeyKind) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(format!("ck_{}_{}", kind.as_str(), URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Whether `text` has the shape of a key; what has not is refused without asking the store.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix("ck_live_").or_else(|| text.strip_prefix("ck_test_"))?;
        let ok = body.len() == 43 && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        ok.then(|| Self(text.to_owned()))
    }

    /// What the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The first characters, by which people tell keys apart.
    pub fn prefix(&self) -> &str {
        &self.0[..12]
    }

    /// The key itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}
