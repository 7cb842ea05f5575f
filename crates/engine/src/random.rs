//! Random numbers, as the engine sees them: always from the operating system in production, from outside in tests.

use std::cell::RefCell;

use secrecy::SecretString;

/// Gives random bytes that nobody can guess.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// Fills `bytes` with what need only be hard to guess: numbers that are no keys and are shown to everybody, like a
    /// `nonceStr`. Cheaper where that makes a difference.
    fn fill_public(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's randomness comes in")]
    #[expect(
        clippy::expect_used,
        reason = "without randomness no key can be made; going on would be worse than ending"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }

    fn fill_public(&self, bytes: &mut [u8]) {
        let drawn = STOCK.try_with(|stock| stock.borrow_mut().draw(bytes)).unwrap_or(false);
        if !drawn {
            self.fill(bytes);
        }
    }
}

/// Bytes of the operating system that nobody has had yet, of one thread. A system call for each number would cost a good part
/// of what a whole answer costs. Not for keys: a copy of a running machine would hand the same ones out again.
struct Stock {
    bytes: [u8; 1024],
    /// Those before are given away, and zero.
    used: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; 1024], used: 1024 }) };
}

impl Stock {
    /// Fills `to`, unless it is large or the operating system gives nothing.
    fn draw(&mut self, to: &mut [u8]) -> bool {
        if to.len() > self.bytes.len() - self.used && !self.refill(to.len()) {
            return false;
        }
        let end = self.used + to.len();
        let Some(from) = self.bytes.get_mut(self.used..end) else { return false };
        to.copy_from_slice(from);
        from.fill(0);
        self.used = end;
        true
    }

    #[expect(clippy::disallowed_methods, reason = "the same one place")]
    fn refill(&mut self, wanted: usize) -> bool {
        if wanted > self.bytes.len() / 8 || getrandom::fill(&mut self.bytes).is_err() {
            return false;
        }
        self.used = 0;
        true
    }
}

/// Letters that are safe in a URL, a header and a shell without quotes.
const KEY_LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// 43 letters of 62 are 256 bits.
const KEY_LENGTH: usize = 43;

/// A new key of 256 bits: `wxp_` (so that secret scanners can find leaked ones) and 43 letters or digits.
pub fn secret_key(random: &dyn Random) -> SecretString {
    let mut key = String::with_capacity(4 + KEY_LENGTH);
    key.push_str("wxp_");
    let mut bytes = [0; 64];
    while key.len() < 4 + KEY_LENGTH {
        random.fill(&mut bytes);
        // 248 is the largest multiple of 62 in a byte: taking only what is below keeps every letter equally likely.
        let letters = bytes.iter().filter(|b| **b < 248).filter_map(|b| KEY_LETTERS.get(usize::from(*b) % 62));
        let missing = 4 + KEY_LENGTH - key.len();
        key.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    key.into()
}

/// 16 hexadecimal digits, for names that only have to be unique (a node, an owner of a lease).
pub fn unique_name(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

/// 16 letters and digits, for signatures that want a random text (`nonceStr`).
pub fn nonce(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill_public(&mut bytes);
    hex::encode(bytes)
}

/// A number from 0 to `below - 1`, for jitter (not exactly uniform); 0 when `below` is 0.
pub fn number_below(random: &dyn Random, below: u64) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes).checked_rem(below).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn keys_are_long_plain_and_never_the_same() {
        let keys: HashSet<String> = (0..100).map(|_| secret_key(&OsRandom).expose_secret().to_owned()).collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            let letters = key.strip_prefix("wxp_").unwrap();
            assert_eq!(letters.len(), KEY_LENGTH);
            assert!(letters.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn the_stock_gives_each_byte_once() {
        let mut stock = Stock { bytes: [0; 1024], used: 1024 };
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let mut number = [0; 24];
            assert!(stock.draw(&mut number));
            assert!(seen.insert(number) && number != [0; 24]);
            assert!(stock.bytes.iter().take(stock.used).all(|byte| *byte == 0), "what was given away is gone");
        }
        let mut large = [0; 200];
        stock.used = 1024;
        assert!(!stock.draw(&mut large));
        OsRandom.fill_public(&mut large);
        assert!(large.iter().any(|byte| *byte != 0));
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        assert_eq!(number_below(&OsRandom, 0), 0);
        assert!((0..1000).all(|_| number_below(&OsRandom, 7) < 7));
    }
}
