//! The tokens in the URLs that the upstream calls back: the id of a submission, or of an account, and a secret behind
//! it. Found by the id, proven by the secret, of which only a hash is kept.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::chance;

/// Length of an id (a ULID) and of a secret: both 26 characters.
const PART: usize = 26;

/// One submission's tokens. The payer's browser sees the return token, so it must not tell the other.
#[derive(Clone)]
pub struct Tokens {
    pub notify: String,
    pub r#return: String,
}

impl Tokens {
    pub fn new(submission_id: &str) -> Self {
        Self { notify: token(submission_id), r#return: token(submission_id) }
    }
}

/// A new token of what has this id.
pub fn token(id: &str) -> String {
    format!("{id}{}", chance::secret_text())
}

/// What is kept of a token.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// A token as it came in.
pub struct Token {
    /// Of what it stands for.
    pub id: String,
    hash: Vec<u8>,
}

impl Token {
    /// `None` where it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let fits =
            text.len() == 2 * PART && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        fits.then(|| Self { id: text[..PART].to_owned(), hash: hash(text) })
    }

    pub fn matches(&self, kept: &[u8]) -> bool {
        self.hash.ct_eq(kept).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01J0000000000000000000000A";

    #[test]
    fn a_token_proves_its_own_submission_and_purpose_only() {
        let tokens = Tokens::new(ID);
        let token = Token::parse(&tokens.notify).expect("ours");
        assert_eq!(token.id, ID);
        assert!(token.matches(&hash(&tokens.notify)));
        assert!(!token.matches(&hash(&tokens.r#return)));
        assert!(!token.matches(&hash(&Tokens::new(ID).notify)));
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        for text in ["", "x", &"A".repeat(51), &"A".repeat(53), &"a".repeat(52), &"é".repeat(26)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}
