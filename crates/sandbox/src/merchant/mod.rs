//! Merchants of WeChat Pay: keys, orders, refunds, notifications; what v2, v3 and the phone's user do with them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `calendar`, `ids` | times and ids as WeChat Pay writes them |
//! | `rsa`, `certificate`, `p12` | keys, the sandbox's own authority, the file that merchants get |
//! | `sign_v2`, `sign_v3`, `cipher` | signatures and encryption of both APIs |
//! | `settings`, `knobs`, `holder` | a merchant, and what can be changed or spoilt about it |
//! | `limits` | what numbers and addresses have to look like |
//! | `order`, `refund`, `store`, `refunding` | what was ordered, paid, closed and refunded |
//! | `checkout` | what WeChat's client checks before somebody pays |
//! | `bill` | the table of a day |
//! | `fields`, `notice`, `letter` | what is told about it, to whom and how often, and the bytes |
//!
//! Nothing here waits or sends: `platform` answers, the `notifier` sends.

mod bill;
mod calendar;
mod certificate;
mod checkout;
mod cipher;
mod fields;
mod holder;
mod ids;
mod knobs;
mod letter;
mod limits;
mod notice;
mod order;
mod p12;
mod refund;
mod refunding;
mod rsa;
mod settings;
mod sign_v2;
mod sign_v3;
mod store;
#[cfg(test)]
mod vectors;

pub(crate) use bill::{Bill, BillType, gzip, is_bill_ready, trade_bill};
pub(crate) use calendar::{parse_compact, parse_day, parse_rfc3339, rfc3339, spaced};
pub(crate) use certificate::{Credential, ca_pem, server_identity};
pub(crate) use checkout::{Means, PageRequest, Refused, Sheet};
pub(crate) use cipher::seal;
pub(crate) use fields::{Fields, paid_v2, put, refund_v3, transaction_v3};
pub use holder::{GivenKey, Merchant, MerchantError, MerchantFiles, NewMerchant};
pub(crate) use holder::{MerchantHolder, Signer};
pub(crate) use knobs::{AnswerKnob, NoticeKnob, next_answer, next_notice};
pub(crate) use letter::{About, Letter, PROBE, element, pairs};
pub(crate) use limits::{is_notify_url, is_refund_no, is_trade_no};
pub(crate) use notice::{GAPS, LIMIT_MS, Notice, NoticeOutcome, NoticeState, NoticeTry};
pub use order::{Coupon, TradeType};
pub(crate) use order::{Order, OrderWish, Origin};
pub(crate) use refund::{Refund, RefundState, RefundWish};
pub(crate) use refunding::NotRefunded;
pub use settings::KeyMode;
pub(crate) use settings::{MerchantPatch, MerchantSettings};
pub(crate) use sign_v2::{SignType, sign};
pub(crate) use sign_v3::{Authorization, SCHEME, lines};
pub(crate) use store::{Job, Merchants, NotClosed, NotPlaced, Paying};
