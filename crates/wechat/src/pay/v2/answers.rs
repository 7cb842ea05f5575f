//! The answers of API v2: the verdict of the transport, then the signature, then the verdict of the business.
//!
//! Used through [`pay::Merchant::read`](crate::pay::Merchant::read). What must stay true: nothing of an answer is used
//! before its `sign` was verified, but the text of `return_code=FAIL`, which WeChat never signs.

use serde_json::Map;

use super::Merchant;
use super::document::{Fields, pairs, read, text};
use super::sign::{SIGN, verifies};
use crate::pay::{Answer, Doubt, NotDone, Operation, Received, Refusal, fields};

impl Merchant {
    pub(in crate::pay) fn read(&self, operation: Operation, received: &Received<'_>) -> Result<Answer, NotDone> {
        let document = match (read(received.body), received.status) {
            (Ok(document), 200) => document,
            (Err(_), 400) if operation == Operation::Refund => return Err(without_certificate().into()),
            (Err(error), 200) => return Err(Doubt::Malformed(error.to_string()).into()),
            (_, status) => return Err(Doubt::Status(status).into()),
        };
        match text(&document, "return_code") {
            Some("SUCCESS") => {}
            Some("FAIL") => return Err(refusal(&document, None, "return_msg").into()),
            _ => return Err(malformed("return_code")),
        }
        self.verify(&document)?;
        match text(&document, "result_code") {
            Some("SUCCESS") => {}
            Some("FAIL") => return Err(refusal(&document, text(&document, "err_code"), "err_code_des").into()),
            _ => return Err(malformed("result_code")),
        }
        let needed: &[&str] = match operation {
            Operation::Order => &["prepay_id", "code_url", "mweb_url"],
            Operation::Query => &["trade_state"],
            Operation::Refund => &["out_refund_no"],
            Operation::Close | Operation::QueryRefund => &[],
        };
        if let [first, ..] = needed
            && !needed.iter().any(|name| text(&document, name).is_some())
        {
            return Err(malformed(first));
        }
        let mut fields = Map::new();
        for (name, value) in pairs(&document) {
            fields::add(&mut fields, name, value);
        }
        Ok(Answer::new(fields, None))
    }

    /// Whether an answer is signed, and about this merchant.
    fn verify(&self, document: &Fields) -> Result<(), Doubt> {
        let sign = text(document, SIGN).ok_or(Doubt::MissingHeader(SIGN))?;
        if !verifies(pairs(document), sign, self.key()) {
            return Err(Doubt::BadSignature);
        }
        // The key proves whose it is; a merchant that is named must be this one.
        let is_ours = text(document, "mch_id").is_none_or(|said| said == self.mch_id());
        if is_ours { Ok(()) } else { Err(Doubt::OtherMerchant) }
    }
}

fn malformed(what: &str) -> NotDone {
    Doubt::Malformed(format!("{what} is missing or not what it should be")).into()
}

fn refusal(document: &Fields, code: Option<&str>, message: &str) -> Refusal {
    let code = code.unwrap_or("FAIL");
    let message = text(document, message).unwrap_or_default().to_owned();
    Refusal { code: code.to_owned(), message, status: None, said: code.to_owned() }
}

/// WeChat's gateway answers HTML when a refund comes without client certificate.
fn without_certificate() -> Refusal {
    Refusal {
        code: "CERT_ERROR".to_owned(),
        message: "WeChat Pay saw no client certificate: register the merchant's apiclient_cert.p12".to_owned(),
        status: Some(400),
        said: "400".to_owned(),
    }
}
