//! What the control API can change about a merchant: keys in use, products, how refunds settle, what goes wrong.
//!
//! [`MerchantPatch`] is the body of `PATCH /sandbox/merchants/{mch_id}`; what is absent stays as it is.

use serde::{Deserialize, Serialize};

use super::knobs::{AnswerFault, NoticeFault};
use super::order::TradeType;
use super::refund::RefundState;
use crate::domains::Domains;

/// Faults that wait for one merchant at most, of each kind.
const MOST_FAULTS: usize = 100;
/// Copies of a notification that are sent at once, at most.
const MOST_COPIES: u32 = 20;
/// Appids that a merchant is bound to, at most.
const MOST_APPIDS: usize = 50;
/// The longest time after which a refund settles, in seconds.
const LONGEST_SETTLING: u64 = 30 * 86_400;

/// What WeChat signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMode {
    /// Platform certificates alone.
    #[default]
    Certificate,
    /// Certificates, and the public key for who names it: a merchant that is changing over.
    Both,
    /// The WeChat Pay public key (微信支付公钥) alone; `/v3/certificates` is 404.
    PublicKey,
}

/// Which of two certificates signs while they rotate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rotation {
    /// There is one certificate.
    #[default]
    Off,
    /// Both are listed, the old one signs.
    Old,
    /// Both are listed, the new one signs.
    New,
    /// Both are listed, now this and now that one signs.
    Either,
}

/// What signs callbacks, where a merchant has both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallbackKey {
    #[default]
    Certificate,
    PublicKey,
}

/// Which clock the signatures of answers and callbacks go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StampClock {
    /// The one that the merchant's latest request went by, at first the machine's.
    #[default]
    Auto,
    Machine,
    Sandbox,
}

/// What is set about a merchant.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MerchantSettings {
    pub(crate) key_mode: KeyMode,
    pub(crate) rotation: Rotation,
    pub(crate) callbacks_with: CallbackKey,
    pub(crate) clock: StampClock,
    /// Others are NOAUTH.
    pub(crate) trade_types: Vec<TradeType>,
    /// Where refund notifications go when the refund names no address, as set on the merchant platform.
    pub(crate) refund_notify_url: Option<String>,
    /// Seconds; null: only the control API settles refunds.
    pub(crate) refund_settles_after: Option<u64>,
    pub(crate) refund_outcome: RefundState,
    /// Seconds between two refunds of one order.
    pub(crate) refund_gap: u64,
    /// Whether notifications are sent at all.
    pub(crate) notifications: bool,
    /// How often each is sent, at the same time.
    pub(crate) copies: u32,
    /// The part of v3's answers and callbacks with `WECHATPAY/SIGNTEST/…`, from 0 to 1.
    pub(crate) signtest_rate: f64,
    pub(crate) answer_faults: Vec<AnswerFault>,
    pub(crate) notice_faults: Vec<NoticeFault>,
    /// Hosts of pages that may lead to an H5 payment; empty: all, and a Referer is not asked for.
    pub(crate) h5_domains: Domains,
}

impl Default for MerchantSettings {
    fn default() -> MerchantSettings {
        MerchantSettings {
            key_mode: KeyMode::default(),
            rotation: Rotation::default(),
            callbacks_with: CallbackKey::default(),
            clock: StampClock::default(),
            trade_types: vec![TradeType::Jsapi, TradeType::Native, TradeType::App, TradeType::Mweb],
            refund_notify_url: None,
            refund_settles_after: Some(3),
            refund_outcome: RefundState::Success,
            refund_gap: 60,
            notifications: true,
            copies: 1,
            signtest_rate: 0.0,
            answer_faults: Vec::new(),
            notice_faults: Vec::new(),
            h5_domains: Domains::default(),
        }
    }
}

/// A change of a merchant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MerchantPatch {
    pub(crate) name: Option<String>,
    pub(crate) appids: Option<Vec<String>>,
    pub(crate) v2_key: Option<String>,
    pub(crate) v3_key: Option<String>,
    pub(super) key_mode: Option<KeyMode>,
    pub(super) rotation: Option<Rotation>,
    pub(super) callbacks_with: Option<CallbackKey>,
    pub(super) clock: Option<StampClock>,
    pub(super) trade_types: Option<Vec<TradeType>>,
    #[serde(deserialize_with = "given")]
    pub(super) refund_notify_url: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    pub(super) refund_settles_after: Option<Option<u64>>,
    pub(super) refund_outcome: Option<RefundState>,
    pub(super) refund_gap: Option<u64>,
    pub(super) notifications: Option<bool>,
    pub(super) copies: Option<u32>,
    pub(super) signtest_rate: Option<f64>,
    pub(super) answer_faults: Option<Vec<AnswerFault>>,
    pub(super) notice_faults: Option<Vec<NoticeFault>>,
    pub(super) h5_domains: Option<Domains>,
}

impl MerchantSettings {
    /// Takes over what a patch says.
    pub(crate) fn apply(&mut self, patch: MerchantPatch) {
        replace(&mut self.key_mode, patch.key_mode);
        replace(&mut self.rotation, patch.rotation);
        replace(&mut self.callbacks_with, patch.callbacks_with);
        replace(&mut self.clock, patch.clock);
        replace(&mut self.trade_types, patch.trade_types);
        replace(&mut self.refund_notify_url, patch.refund_notify_url);
        replace(&mut self.refund_settles_after, patch.refund_settles_after);
        replace(&mut self.refund_outcome, patch.refund_outcome);
        replace(&mut self.refund_gap, patch.refund_gap);
        replace(&mut self.notifications, patch.notifications);
        replace(&mut self.copies, patch.copies);
        replace(&mut self.signtest_rate, patch.signtest_rate);
        replace(&mut self.answer_faults, patch.answer_faults);
        replace(&mut self.notice_faults, patch.notice_faults);
        replace(&mut self.h5_domains, patch.h5_domains);
    }
}

impl MerchantPatch {
    /// What cannot be set, as a text that says what to do about it.
    pub(crate) fn problem(&self) -> Option<String> {
        let too_many = |faults: Option<usize>| faults.is_some_and(|faults| faults > MOST_FAULTS);
        if too_many(self.answer_faults.as_ref().map(Vec::len)) || too_many(self.notice_faults.as_ref().map(Vec::len)) {
            return Some(format!("at most {MOST_FAULTS} faults of a kind wait for one merchant"));
        }
        if self.appids.as_ref().is_some_and(|appids| appids.is_empty() || appids.len() > MOST_APPIDS) {
            return Some(format!("a merchant is bound to 1 to {MOST_APPIDS} appids"));
        }
        if self.copies.is_some_and(|copies| !(1..=MOST_COPIES).contains(&copies)) {
            return Some(format!("copies is from 1 to {MOST_COPIES}; notifications: false sends none"));
        }
        if self.signtest_rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Some("signtest_rate is from 0 (never) to 1 (always)".into());
        }
        if self.refund_outcome == Some(RefundState::Processing) {
            return Some(
                "refund_outcome is SUCCESS, CLOSED or ABNORMAL; refund_settles_after: null leaves it open".into(),
            );
        }
        let secs = self.refund_settles_after.flatten().max(self.refund_gap);
        secs.filter(|secs| *secs > LONGEST_SETTLING)
            .map(|_| format!("refund_settles_after and refund_gap are seconds, at most {LONGEST_SETTLING}"))
    }
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A field that is there, null or not.
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
