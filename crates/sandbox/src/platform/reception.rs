//! Takes one API call in: finds the fault that hits it, has it carried out, writes it into the journal.
//!
//! Everything that waits is here (a delay, a call that hangs), so that nothing else does. A record is written before
//! the answer leaves; when the caller goes away while the call waits, the record says that.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::desk::house_of;
use super::refusal::{House, Refusal};
use super::{Platform, pages, routes};
use crate::clock::Time;
use crate::faults::{Ending, Fault};
use crate::journal::{Details, Outcome, Record, excerpt};
use crate::pusher::PushWish;
use crate::pushes::Due;
use crate::shared_world::Event;
use crate::wire::{Call, Reply};
use crate::world::World;

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With an answer to send.
    Whole(Reply),
    /// With an answer of which half is to be sent.
    Half(Reply),
    /// With a connection to close.
    Closed,
}

impl Platform {
    /// Takes one call in. `closing` ends what waits, because the platform stops.
    pub(crate) async fn receive(&self, call: Call, closing: &CancellationToken) -> Ended {
        let mut visit = Visit::begin(self, call);
        let Some(fault) = visit.fault.clone() else {
            let reply = visit.carry_out();
            visit.record(Outcome::Answered, Some(&reply));
            return Ended::Whole(reply);
        };
        let early = (fault.wish.carry_out && fault.wish.delay_ms > 0).then(|| visit.carry_out());
        if fault.wish.delay_ms > 0 {
            let delay = tokio::time::sleep(Duration::from_millis(fault.wish.delay_ms));
            tokio::select! {
                () = delay => {}
                () = closing.cancelled() => {}
            }
        }
        match visit.answer_with(&fault, early) {
            Some(reply) if fault.wish.truncate => {
                visit.record(Outcome::Truncated, Some(&reply));
                Ended::Half(reply)
            }
            Some(reply) => {
                visit.record(Outcome::Answered, Some(&reply));
                Ended::Whole(reply)
            }
            None if fault.wish.ending() == Ending::Hang => {
                visit.record(Outcome::Hung, None);
                closing.cancelled().await;
                Ended::Closed
            }
            None => {
                visit.record(Outcome::Dropped, None);
                Ended::Closed
            }
        }
    }
}

/// One call while it is here.
struct Visit<'a> {
    platform: &'a Platform,
    call: Call,
    arrived: Time,
    started: Instant,
    appid: Option<String>,
    fault: Option<Fault>,
    recorded: bool,
}

impl<'a> Visit<'a> {
    fn begin(platform: &'a Platform, call: Call) -> Visit<'a> {
        let started = Instant::now();
        let mut world = platform.world();
        let arrived = world.clock.now();
        let appid = routes::account_of(&world, &call);
        let fault = world.faults.hit(&call.path, appid.as_deref());
        drop(world);
        if fault.is_some() {
            platform.tell(Event::Change("faults"));
        }
        Visit { platform, call, arrived, started, appid, fault, recorded: false }
    }

    /// Does what the call asks for, and begins what that leaves to do.
    fn carry_out(&self) -> Reply {
        let (reply, due) = {
            let mut world = self.platform.world();
            (routes::carry_out(&mut world, &self.call), world.pushes.take_due())
        };
        for Due { appid, openid, event } in due {
            // An account without a callback hears of nothing.
            drop(self.platform.pusher().push(&appid, &PushWish::of_event(openid, event), "localhost"));
        }
        if routes::may_change_orders(&self.call) {
            self.platform.notifier().start_jobs();
            self.platform.tell(Event::Change("orders"));
        }
        reply
    }

    /// What the caller gets to see under a fault; `None` when that is nothing. `early` is what the call gave when it
    /// was carried out before a delay.
    fn answer_with(&self, fault: &Fault, early: Option<Reply>) -> Option<Reply> {
        let carried_out = fault.wish.carry_out || fault.wish.ending() == Ending::Answer;
        let own = early.or_else(|| carried_out.then(|| self.carry_out()));
        let mut world = self.platform.world();
        match fault.wish.ending() {
            Ending::Answer => own,
            Ending::Errcode(errcode) => Some(match &fault.wish.errmsg {
                Some(errmsg) => Reply::refusal(errcode, errmsg, None),
                None if pages::has(&self.call.path) => pages::refused(&self.call, errcode),
                None => Refusal::of(self.house(&world), errcode).reply(self.arrived, self.call.client_ip),
            }),
            Ending::Code => {
                let code = fault.wish.code.as_deref().unwrap_or_default();
                let failed = routes::pay_failed(&mut world, &self.call, code, fault.wish.errmsg.as_deref());
                failed.or_else(|| Some(Refusal::of(self.house(&world), -1).reply(self.arrived, self.call.client_ip)))
            }
            Ending::Status(status) => {
                let (content_type, body) = fault.wish.page();
                Some(Reply::page(status, content_type, body))
            }
            Ending::Drop | Ending::Hang => None,
        }
    }

    fn house(&self, world: &World) -> House {
        let holder = self.appid.as_ref().and_then(|appid| world.accounts.get(appid));
        holder.map_or(House::Official, |holder| house_of(holder.kind))
    }

    fn record(&mut self, outcome: Outcome, reply: Option<&Reply>) {
        self.recorded = true;
        if self.fault.is_none() && pages::is_quiet(&self.call.path) {
            return;
        }
        let rid = reply.and_then(|reply| reply.rid.clone());
        let details = rid.as_ref().zip(reply).map(|(_, reply)| {
            // The address by which the real platform is called.
            let url = format!("https://api.weixin.qq.com{}", self.call.target());
            Box::new(Details::new(&url, &self.call.body, &reply.body))
        });
        let record = Record {
            id: 0,
            time: self.arrived,
            method: excerpt(self.call.method.as_str()),
            path: excerpt(&self.call.path),
            appid: self.appid.as_deref().map(excerpt),
            status: reply.map(|reply| reply.status),
            errcode: reply.and_then(|reply| reply.errcode),
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            client_ip: self.call.client_ip.to_string(),
            fault: self.fault.as_ref().map(|fault| fault.id),
            outcome,
            rid,
            note: reply.and_then(|reply| reply.note.as_deref()).map(excerpt),
            details,
        };
        let mut world = self.platform.world();
        let record = world.journal.add(record);
        // Still under the lock, so that events come in the order of the ids.
        if self.platform.is_listened_to()
            && let Ok(text) = serde_json::to_string(&record)
        {
            self.platform.tell(Event::Call(text.into()));
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.recorded {
            self.record(Outcome::GivenUp, None);
        }
    }
}
