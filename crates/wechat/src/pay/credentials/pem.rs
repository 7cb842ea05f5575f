//! PEM: base64 between a BEGIN and an END line, however it was bent on its way through forms, shells and JSON.
//!
//! Read for everything that is pasted, written for what is stored. What must stay true: buffers that may hold a private
//! key are wiped.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::der;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Characters of base64 on a line.
const LINE: usize = 64;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One block of a PEM text.
pub(super) enum Block {
    /// What is inside.
    Der(Zeroizing<Vec<u8>>),
    /// A private key in OpenSSL's old format that needs a password.
    Encrypted,
    /// It begins and does not end.
    Cut,
    /// What is inside is no base64 of DER.
    Damaged,
}

/// Whether there is anything of PEM in this text.
pub(super) fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN") || text.contains("-----END")
}

/// All blocks of a text, whatever stands between them.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let text = Zeroizing::new(text.replace("\\r", "\n").replace("\\n", "\n"));
    let mut rest = text.as_str();
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        let Some((body, behind)) = behind.split_once(DASHES).and_then(|(_, behind)| behind.split_once(END)) else {
            blocks.push(Block::Cut);
            return blocks;
        };
        blocks.push(block(body));
        rest = behind;
    }
    if blocks.is_empty() {
        blocks.push(Block::Cut);
    }
    blocks
}

fn block(body: &str) -> Block {
    if body.contains("Proc-Type") {
        return Block::Encrypted;
    }
    let whole = |text: &str| decode(text).filter(|der| der::is_whole(der));
    // Forms make a space of each `+`; where lines are still lines, other spaces were none.
    let mended = || Zeroizing::new(body.trim_matches(['\r', '\n']).replace(' ', "+"));
    whole(body).or_else(|| whole(&mended())).map_or(Block::Damaged, Block::Der)
}

/// The bytes of a base64 text with white space in it; `None` when it is none, or empty.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    let bytes = Zeroizing::new(BASE64.decode(compact.as_bytes()).ok()?);
    (!bytes.is_empty()).then_some(bytes)
}

/// A block with this label.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64.encode(der));
    let lines = base64.len() / LINE + 1;
    let mut pem = Zeroizing::new(String::with_capacity(base64.len() + lines + 2 * (label.len() + 20)));
    for piece in [BEGIN, label, DASHES, "\n"] {
        pem.push_str(piece);
    }
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    for piece in ["\n", END, label, DASHES, "\n"] {
        pem.push_str(piece);
    }
    pem
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An OCTET STRING of 256 bytes or more.
    fn octets(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x04, 0x82], length.as_slice(), content].concat()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_was_bent(content in proptest::collection::vec(any::<u8>(), 256..400)) {
            let der = octets(&content);
            let pem = write("PRIVATE KEY", &der);
            let bent = [
                pem.to_string(),
                pem.replace('\n', "\r\n"),
                pem.replace('\n', " "),
                pem.replace('\n', "\\n"),
                pem.replace('\n', "\\r\\n"),
                pem.replace('\n', ""),
                pem.lines().map(|line| format!("   {line}\n")).collect(),
                format!("Bag Attributes\n  x: y\n{}more", *pem),
            ];
            for text in bent {
                match blocks(&text).as_slice() {
                    [Block::Der(read)] => prop_assert_eq!(&**read, &der),
                    _ => prop_assert!(false, "{}", text),
                }
            }
        }

        #[test]
        fn any_text_is_taken_apart(text in "(-----BEGIN |-----END |-----|[A-Z]{0,5}|\\\\n|\\PC{0,5}){0,12}") {
            prop_assert!(!blocks(&text).is_empty());
        }
    }

    #[test]
    fn plus_signs_that_a_form_made_spaces_are_put_back() {
        let der = octets(&[0xFB; 300]);
        let pem = write("PRIVATE KEY", &der);
        assert!(pem.contains('+'));
        let bent = pem.replace('+', " ");
        assert!(matches!(blocks(&bent).as_slice(), [Block::Der(read)] if **read == der));
    }
}
