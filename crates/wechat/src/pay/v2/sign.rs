//! `sign` of API v2: the parameters that are not empty, sorted by name, `name=value` joined by `&`, then `&key=KEY`; of
//! that the MD5, or the HMAC-SHA256 with KEY, in upper-case hex.
//!
//! Used for everything that v2 signs, in both directions. The HMAC is that of [`crate::sign`], whose rule is v2's.
//!
//! What must stay true: values stand as they are, without any encoding; a `sign` from outside is only compared in
//! constant time; the signed text is never built in memory, because it ends in the key.

use md5::{Digest, Md5};

/// Lengths of `sign`, in characters: it tells the method, because `sign_type` may be missing.
const MD5_LENGTH: usize = 32;
const HMAC_LENGTH: usize = 64;

/// The name of the parameter that holds the signature and is not signed itself.
pub(super) const SIGN: &str = "sign";

/// `sign` by MD5, the default: 32 upper-case hexadecimal digits.
#[must_use]
pub fn md5<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> String {
    let mut parameters: Vec<_> =
        parameters.into_iter().filter(|(name, value)| !value.is_empty() && *name != SIGN).collect();
    parameters.sort_unstable();
    let mut digest = Md5::new();
    for (name, value) in parameters {
        for piece in [name, "=", value, "&"] {
            digest.update(piece.as_bytes());
        }
    }
    digest.update(b"key=");
    digest.update(key.as_bytes());
    hex::encode_upper(digest.finalize())
}

/// `sign` by HMAC-SHA256 (`sign_type=HMAC-SHA256`): 64 upper-case hexadecimal digits.
#[must_use]
pub fn hmac_sha256<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> String {
    crate::sign::hmac_sha256(parameters, key)
}

/// Whether `sign` is the signature of these parameters, by whichever method its length tells. An empty one never is.
#[must_use]
pub fn verifies<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>, sign: &str, key: &str) -> bool {
    let expected = match sign.len() {
        MD5_LENGTH => md5(parameters, key),
        HMAC_LENGTH => hmac_sha256(parameters, key),
        _ => return false,
    };
    crate::sign::matches(&expected, sign)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_sorted_not_pairs() {
        // As whole pairs `x_10=b` would come before `x_1=a`, because `0` is before `=`.
        let sorted = md5([("x_1", "a"), ("x_10", "b")], "k");
        assert_eq!(sorted, md5([("x_10", "b"), ("x_1", "a")], "k"));
        assert_eq!(sorted, hex::encode_upper(Md5::digest(b"x_1=a&x_10=b&key=k")));
    }

    #[test]
    fn nothing_verifies_an_empty_or_odd_sign() {
        let parameters = [("a", "1")];
        for sign in ["", "x", &"0".repeat(31), &"0".repeat(32), &"0".repeat(64), &"签".repeat(32)] {
            assert!(!verifies(parameters, sign, "k"), "{sign}");
        }
        assert!(verifies(parameters, &md5(parameters, "k"), "k"));
        assert!(!verifies(parameters, &md5(parameters, "k").to_lowercase(), "k"));
    }

    proptest! {
        #[test]
        fn a_sign_fits_its_parameters_and_key_only(
            pairs in proptest::collection::btree_map("[a-z_]{1,8}", "\\PC{1,12}", 1..6),
            key in "[0-9a-zA-Z]{32}",
            other in "[0-9a-zA-Z]{32}",
        ) {
            let parameters = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let is_other_key = key != other;
            for sign in [md5(parameters(), &key), hmac_sha256(parameters(), &key)] {
                prop_assert!(verifies(parameters(), &sign, &key));
                prop_assert!(verifies(parameters().chain([("empty", ""), ("sign", "X")]), &sign, &key));
                prop_assert!(!verifies(parameters().chain([("zzzzzzzzz", "1")]), &sign, &key));
                prop_assert_eq!(!verifies(parameters(), &sign, &other), is_other_key);
            }
        }
    }
}
