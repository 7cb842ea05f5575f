//! Encrypted replies: the envelope that goes back to WeChat.
//!
//! Called with the rendered reply to a message that came encrypted; `success` and the empty answer are never encrypted.
//! What must stay true: the signature covers exactly the timestamp, nonce and text that the envelope shows.

use secrecy::ExposeSecret;

use super::CallbackKeys;
use crate::document::Format;
use crate::json::write_string;
use crate::signature::message_signature;
use crate::xml::write_text;

impl CallbackKeys {
    /// Encrypts a reply; `None` when there is no key. `timestamp` is Unix time in seconds, `nonce` best the one of the request,
    /// `random` has to be new for each reply.
    #[must_use]
    pub fn seal_reply(
        &self,
        reply: &[u8],
        format: Format,
        timestamp: u64,
        nonce: &str,
        random: [u8; 16],
    ) -> Option<Vec<u8>> {
        let encrypt = self.envelope.as_ref()?.seal(reply, random);
        let timestamp = timestamp.to_string();
        let signature = message_signature(self.token.expose_secret(), &timestamp, nonce, &encrypt);
        let mut out = String::with_capacity(encrypt.len() + 256);
        match format {
            Format::Xml => {
                out.push_str("<xml>");
                write_text(&mut out, "Encrypt", &encrypt);
                write_text(&mut out, "MsgSignature", &signature);
                out.push_str(&format!("<TimeStamp>{timestamp}</TimeStamp>"));
                write_text(&mut out, "Nonce", nonce);
                out.push_str("</xml>");
            }
            Format::Json => {
                out.push_str("{\"Encrypt\":");
                write_string(&mut out, &encrypt);
                out.push_str(&format!(",\"MsgSignature\":\"{signature}\",\"TimeStamp\":{timestamp},\"Nonce\":"));
                write_string(&mut out, nonce);
                out.push('}');
            }
        }
        Some(out.into_bytes())
    }
}
