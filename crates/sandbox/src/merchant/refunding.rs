//! The state machine of refunds: accepted within WeChat's limits, then settled.
//!
//! The second half of `store`. Source: "Apply for refund" of both APIs. What must stay true: the refunds of an order
//! that are not closed never add up to more than its total.

use super::ids;
use super::refund::{Refund, RefundState, RefundWish};
use super::store::{Job, Merchants, key};
use crate::clock::Time;

/// Partial refunds of one order at most.
const MOST_REFUNDS: usize = 50;
/// How long after its payment an order can be refunded, in seconds.
const REFUNDABLE_SECS: u64 = 365 * 86_400;

/// Why nothing was refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRefunded {
    UnknownOrder,
    NotPaid,
    /// The number was used with other parameters.
    Different,
    /// More than what is left.
    TooMuch,
    /// More partial refunds than an order can have.
    TooMany,
    /// Too soon after the last one.
    TooSoon,
    /// The payment is too long ago.
    TooOld,
}

impl Merchants {
    /// Accepts a refund, or gives the one that has this number.
    pub(crate) fn accept(
        &mut self,
        mch_id: &str,
        out_trade_no: &str,
        wish: RefundWish,
        now: Time,
    ) -> Result<&Refund, NotRefunded> {
        let key = key(mch_id, &wish.out_refund_no);
        if let Some(known) = self.refunds.get(&key) {
            if known.parameters != wish.parameters {
                return Err(NotRefunded::Different);
            }
        } else {
            let refund = self.refundable(mch_id, out_trade_no, wish, now)?;
            if let Some(order) = self.order_mut(mch_id, out_trade_no) {
                order.refunds += 1;
            }
            let settles = self.get(mch_id).and_then(|holder| holder.settings.refund_settles_after);
            if let Some(secs) = settles {
                self.jobs.push(Job::Settle { key: key.clone(), at: now.plus_secs(secs) });
            }
            self.refunds.insert(key.clone(), refund);
        }
        self.refunds.get(&key).ok_or(NotRefunded::UnknownOrder)
    }

    fn refundable(
        &mut self,
        mch_id: &str,
        out_trade_no: &str,
        wish: RefundWish,
        now: Time,
    ) -> Result<Refund, NotRefunded> {
        let number = self.next_number();
        let gap = self.get(mch_id).map_or(0, |holder| holder.settings.refund_gap);
        let order = self.order(mch_id, out_trade_no).ok_or(NotRefunded::UnknownOrder)?;
        let payment = order.payment().ok_or(NotRefunded::NotPaid)?;
        let earlier = || self.refunds.values().filter(|r| r.mch_id == mch_id && r.out_trade_no == out_trade_no);
        let counted = || earlier().filter(|refund| refund.state != RefundState::Closed);
        let left = order.total.saturating_sub(counted().map(|refund| refund.amount).sum());
        if wish.amount > left {
            return Err(NotRefunded::TooMuch);
        }
        if earlier().count() >= MOST_REFUNDS {
            return Err(NotRefunded::TooMany);
        }
        if payment.time.plus_secs(REFUNDABLE_SECS) < now {
            return Err(NotRefunded::TooOld);
        }
        if earlier().any(|refund| refund.created.plus_secs(gap) > now) {
            return Err(NotRefunded::TooSoon);
        }
        // Coupons come back in proportion; what is left over by rounding, with the last refund.
        let cash = order.total - payment.discount();
        let returned: u64 = counted().map(|refund| refund.payer_amount).sum();
        let in_proportion = u128::from(wish.amount) * u128::from(cash) / u128::from(order.total.max(1));
        let in_proportion = u64::try_from(in_proportion).unwrap_or(cash);
        let rest = cash.saturating_sub(returned);
        Ok(Refund {
            number,
            mch_id: mch_id.to_owned(),
            appid: order.appid.clone(),
            out_trade_no: out_trade_no.to_owned(),
            transaction_id: payment.transaction_id.clone(),
            out_refund_no: wish.out_refund_no,
            refund_id: ids::refund_id(now),
            origin: wish.origin,
            total: order.total,
            amount: wish.amount,
            payer_amount: if wish.amount == left { rest } else { in_proportion.min(rest) },
            reason: wish.reason,
            notify_url: wish.notify_url,
            account: wish.account,
            parameters: wish.parameters,
            created: now,
            state: RefundState::Processing,
            settled: None,
        })
    }

    /// Settles a refund that is not settled for good, and has the merchant notified. Says whether it was.
    pub(crate) fn settle(&mut self, mch_id: &str, out_refund_no: &str, state: RefundState, now: Time) -> bool {
        let Some(refund) = self.refunds.get_mut(&key(mch_id, out_refund_no)).filter(|refund| !refund.is_final()) else {
            return false;
        };
        (refund.state, refund.settled) = (state, Some(now));
        let refund = refund.clone();
        let Some(order) = self.order(mch_id, &refund.out_trade_no).cloned() else { return true };
        let usual = self.get(mch_id).and_then(|holder| holder.settings.refund_notify_url.clone());
        let url = refund.notify_url.clone().or(usual);
        self.notify(&order, Some(&refund), url.as_deref(), now);
        true
    }
}
