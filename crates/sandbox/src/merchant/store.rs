//! All merchants with their orders, refunds and notifications, and the state machines of these.
//!
//! Part of the world, so behind its lock. What has to be done later (send, settle) is left as a [`Job`] for the
//! notifier, which looks after every call. What must stay true: the same number is the same order or refund, for ever.

use std::collections::BTreeMap;

use super::bill::Bill;
use super::holder::{Merchant, MerchantError, MerchantHolder, NewMerchant};
use super::ids;
use super::notice::{Notice, NoticeState, Notices, Subject};
use super::order::{Coupon, Order, OrderState, OrderWish, Payment};
use super::refund::Refund;
use crate::chance;
use crate::clock::Time;

/// Merchants, orders and refunds at most; of orders and refunds the oldest ones go first.
const MOST_MERCHANTS: usize = 1_000;
const MOST_ORDERS: usize = 20_000;
/// Bills that wait to be downloaded, at most.
const MOST_BILLS: usize = 100;

/// A merchant's number and one of its own numbers.
type Key = (String, String);

/// Something to do later.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Send a notification until it is acknowledged.
    Send(u64),
    /// Send a notification once more.
    Resend(u64),
    /// Settle a refund.
    Settle { key: (String, String), at: Time },
}

/// Why nothing was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPlaced {
    Paid,
    Closed,
    /// The number was used with other parameters.
    Different,
    /// The time to pay is over.
    Expired,
}

/// Why an order was not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotClosed {
    Unknown,
    Paid,
    Closed,
    /// The payer is typing the password.
    Paying,
}

/// Why an order was not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPaid {
    Unknown,
    Paid,
    Closed,
    Expired,
    /// The payer is not the one that the order names.
    OtherPayer,
    /// Coupons are worth more than the order.
    TooManyCoupons,
}

/// How somebody pays.
#[derive(Clone, Debug)]
pub(crate) struct Paying {
    pub(crate) openid: String,
    pub(crate) bank_type: String,
    pub(crate) coupons: Vec<Coupon>,
}

/// All merchants and what belongs to them.
#[derive(Debug, Default)]
pub(crate) struct Merchants {
    by_id: BTreeMap<String, MerchantHolder>,
    orders: BTreeMap<Key, Order>,
    pub(super) refunds: BTreeMap<Key, Refund>,
    pub(crate) notices: Notices,
    /// The openid of the phone's user under appids that have no account here.
    payers: BTreeMap<String, String>,
    /// By token.
    bills: BTreeMap<String, Bill>,
    pub(super) jobs: Vec<Job>,
    made: u64,
}

impl Merchants {
    pub(crate) fn create(&mut self, wish: NewMerchant) -> Result<Merchant, MerchantError> {
        if self.by_id.len() >= MOST_MERCHANTS {
            return Err(MerchantError::TooMany(MOST_MERCHANTS));
        }
        let number = self.next_number();
        let holder = MerchantHolder::new(wish, number).map_err(MerchantError::Unusable)?;
        if self.by_id.contains_key(&holder.mch_id) {
            return Err(MerchantError::Taken(holder.mch_id));
        }
        let card = holder.card();
        self.by_id.insert(holder.mch_id.clone(), holder);
        Ok(card)
    }

    /// Removes a merchant with its orders; says whether it was there.
    pub(crate) fn remove(&mut self, mch_id: &str) -> bool {
        self.orders.retain(|(owner, _), _| owner != mch_id);
        self.refunds.retain(|(owner, _), _| owner != mch_id);
        self.by_id.remove(mch_id).is_some()
    }

    pub(crate) fn get(&self, mch_id: &str) -> Option<&MerchantHolder> {
        self.by_id.get(mch_id)
    }

    pub(crate) fn get_mut(&mut self, mch_id: &str) -> Option<&mut MerchantHolder> {
        self.by_id.get_mut(mch_id)
    }

    /// The merchants in the order in which they were made.
    pub(crate) fn in_order(&self) -> Vec<&MerchantHolder> {
        let mut holders: Vec<_> = self.by_id.values().collect();
        holders.sort_by_key(|holder| holder.number);
        holders
    }

    /// Whether some merchant is bound to an appid.
    pub(crate) fn know(&self, appid: &str) -> bool {
        self.by_id.values().any(|holder| holder.appids.iter().any(|bound| bound == appid))
    }

    pub(crate) fn order(&self, mch_id: &str, out_trade_no: &str) -> Option<&Order> {
        self.orders.get(&key(mch_id, out_trade_no))
    }

    pub(crate) fn order_mut(&mut self, mch_id: &str, out_trade_no: &str) -> Option<&mut Order> {
        self.orders.get_mut(&key(mch_id, out_trade_no))
    }

    /// A paid order of a merchant, by WeChat's number.
    pub(crate) fn transaction(&self, mch_id: &str, transaction_id: &str) -> Option<&Order> {
        let named = |order: &&Order| order.payment().is_some_and(|payment| payment.transaction_id == transaction_id);
        self.orders_of(mch_id).find(named)
    }

    pub(crate) fn all_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    pub(crate) fn orders_of(&self, mch_id: &str) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(move |order| order.mch_id == mch_id)
    }

    pub(crate) fn refund(&self, mch_id: &str, out_refund_no: &str) -> Option<&Refund> {
        self.refunds.get(&key(mch_id, out_refund_no))
    }

    /// The refunds of a merchant, oldest first.
    pub(crate) fn refunds_of(&self, mch_id: &str) -> Vec<&Refund> {
        let mut refunds: Vec<_> = self.refunds.values().filter(|refund| refund.mch_id == mch_id).collect();
        refunds.sort_by_key(|refund| refund.number);
        refunds
    }

    /// Orders, or gives an order that is there new credentials.
    pub(crate) fn place(&mut self, wish: OrderWish, now: Time) -> Result<&Order, NotPlaced> {
        let key = key(&wish.mch_id, &wish.out_trade_no);
        if let Some(known) = self.orders.get(&key) {
            let same = known.parameters == wish.parameters;
            match known.state {
                OrderState::Paid(_) => return Err(NotPlaced::Paid),
                OrderState::Closed { .. } => return Err(NotPlaced::Closed),
                OrderState::Unpaid if !same => return Err(NotPlaced::Different),
                OrderState::Unpaid if known.is_expired(now) => return Err(NotPlaced::Expired),
                OrderState::Unpaid => {}
            }
        } else if self.orders.len() >= MOST_ORDERS {
            let oldest = self.orders.values().min_by_key(|order| order.number);
            let oldest = oldest.map(|order| (order.mch_id.clone(), order.out_trade_no.clone()));
            oldest.and_then(|key| self.orders.remove(&key));
        }
        let number = self.next_number();
        let order = self.orders.entry(key).or_insert_with(|| Order::new(wish, number, now));
        order.issue(now);
        Ok(order)
    }

    pub(crate) fn close(&mut self, mch_id: &str, out_trade_no: &str, now: Time) -> Result<(), NotClosed> {
        let order = self.order_mut(mch_id, out_trade_no).ok_or(NotClosed::Unknown)?;
        match order.state {
            OrderState::Paid(_) => Err(NotClosed::Paid),
            OrderState::Closed { .. } => Err(NotClosed::Closed),
            OrderState::Unpaid if order.paying => Err(NotClosed::Paying),
            OrderState::Unpaid => {
                order.state = OrderState::Closed { closed: now };
                Ok(())
            }
        }
    }

    /// Whether somebody can pay an order.
    pub(crate) fn payable(order: &Order, openid: &str, now: Time) -> Result<(), NotPaid> {
        match order.state {
            OrderState::Paid(_) => Err(NotPaid::Paid),
            OrderState::Closed { .. } => Err(NotPaid::Closed),
            OrderState::Unpaid if order.is_expired(now) => Err(NotPaid::Expired),
            OrderState::Unpaid if order.openid.as_deref().is_some_and(|wanted| wanted != openid) => {
                Err(NotPaid::OtherPayer)
            }
            OrderState::Unpaid => Ok(()),
        }
    }

    /// Pays an order, and has the merchant notified.
    pub(crate) fn pay(&mut self, mch_id: &str, out_trade_no: &str, paying: Paying, now: Time) -> Result<(), NotPaid> {
        let order = self.order_mut(mch_id, out_trade_no).ok_or(NotPaid::Unknown)?;
        Merchants::payable(order, &paying.openid, now)?;
        let Paying { openid, bank_type, mut coupons } = paying;
        let worth = coupons.iter().try_fold(0_u64, |sum, coupon| sum.checked_add(coupon.amount));
        if worth.is_none_or(|worth| worth > order.total) {
            return Err(NotPaid::TooManyCoupons);
        }
        for coupon in &mut coupons {
            coupon.id.get_or_insert_with(|| chance::digits(8));
        }
        let transaction_id = ids::transaction_id(now);
        order.state = OrderState::Paid(Payment { transaction_id, openid, bank_type, time: now, coupons });
        order.paying = false;
        let order = order.clone();
        self.notify(&order, None, Some(&order.notify_url), now);
        Ok(())
    }

    /// The openid of the phone's user under an appid that has no account here.
    pub(crate) fn stranger(&mut self, appid: &str) -> String {
        self.payers.entry(appid.to_owned()).or_insert_with(chance::openid).clone()
    }

    /// Keeps a bill to be downloaded; gives the token of its address.
    pub(crate) fn keep_bill(&mut self, bill: Bill, now: Time) -> String {
        self.bills.retain(|_, bill| bill.until > now);
        let token = chance::letters(48);
        if self.bills.len() < MOST_BILLS {
            self.bills.insert(token.clone(), bill);
        }
        token
    }

    pub(crate) fn bill(&self, token: &str) -> Option<&Bill> {
        self.bills.get(token)
    }

    /// Has something done later.
    pub(crate) fn add_job(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// What is to be done; it is the caller's then.
    pub(crate) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    pub(super) fn notify(&mut self, order: &Order, refund: Option<&Refund>, url: Option<&str>, now: Time) {
        let on = self.get(&order.mch_id).is_some_and(|holder| holder.settings.notifications);
        let sent = on && url.is_some();
        let id = self.notices.add(Notice {
            id: 0,
            time: now,
            mch_id: order.mch_id.clone(),
            subject: if refund.is_some() { Subject::Refund } else { Subject::Payment },
            origin: refund.map_or(order.origin, |refund| refund.origin),
            out_trade_no: order.out_trade_no.clone(),
            out_refund_no: refund.map(|refund| refund.out_refund_no.clone()),
            url: url.unwrap_or_default().to_owned(),
            envelope: chance::uuid(),
            state: if sent { NoticeState::Sending } else { NoticeState::Off },
            next: None,
            tries: Vec::new(),
            resending: 0,
        });
        if sent {
            self.jobs.push(Job::Send(id));
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

pub(super) fn key(mch_id: &str, number: &str) -> Key {
    (mch_id.to_owned(), number.to_owned())
}
