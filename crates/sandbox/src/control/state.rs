//! `/sandbox/state`, `/sandbox/events`, `/sandbox/reset`: everything at a glance, as it changes, and back to nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event as Message, KeepAlive};
use axum::{Extension, Json};
use futures::Stream;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::Closing;
use super::clock::Reading;
use super::merchants::MerchantView;
use crate::account::Account;
use crate::callback::CallbackView;
use crate::chat::Menu;
use crate::clock::{Clock, Time};
use crate::faults::Fault;
use crate::journal::{Filter, Record};
use crate::merchant::Notice;
use crate::phone::PhoneView;
use crate::platform::Platform;
use crate::pushes::Push;
use crate::settings::Settings;
use crate::shared_world::Event;
use crate::ticket_book::Ticket;
use crate::token_book::{Life, Slot, Space};
use crate::world::{App, Holder, World};

/// Calls that the state shows.
const LATEST_CALLS: usize = 100;
/// Pushes, and notifications of WeChat Pay, that the state shows.
const LATEST_PUSHES: usize = 50;
/// How often an event stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Everything that the page shows.
#[derive(Serialize)]
pub(super) struct StateView {
    clock: Reading,
    accounts: Vec<AccountView>,
    faults: Vec<Fault>,
    calls: Vec<Record>,
    last_id: u64,
    pushes: Vec<Push>,
    phone: PhoneView,
    merchants: Vec<MerchantView>,
    notifications: Vec<Notice>,
}

/// An account with what belongs to it. Times are milliseconds since the Unix epoch.
#[derive(Serialize)]
pub(super) struct AccountView {
    #[serde(flatten)]
    account: Account,
    settings: Settings,
    tokens: Vec<TokenView>,
    tickets: Vec<TicketView>,
    quotas: Vec<QuotaView>,
    /// Daily limits set by the control API, by path.
    daily_quota: BTreeMap<String, u64>,
    /// Limits a minute set by the control API, by path.
    minute_quota: BTreeMap<String, u64>,
    forced_refreshes_today: u64,
    quota_clears_this_month: u64,
    /// The openid of the phone's user.
    phone: String,
    /// How many users there are.
    users: usize,
    callback: Option<CallbackView>,
    menu: Option<Menu>,
    /// The apps of a corp: where their pushes go, and their menus.
    apps: Vec<AppView>,
}

#[derive(Serialize)]
struct AppView {
    agentid: u64,
    name: String,
    callback: Option<CallbackView>,
    menu: Option<Menu>,
}

#[derive(Serialize)]
struct TokenView {
    space: Space,
    slot: &'static str,
    agentid: Option<u64>,
    access_token: String,
    state: Life,
    issued: Time,
    good_until: Time,
}

#[derive(Serialize)]
struct TicketView {
    #[serde(rename = "type")]
    kind: &'static str,
    agentid: Option<u64>,
    ticket: String,
    state: Life,
    issued: Time,
    expires: Time,
}

#[derive(Serialize)]
struct QuotaView {
    path: String,
    used: u64,
    limit: Option<u64>,
}

pub(super) async fn read(State(platform): State<Platform>) -> Json<StateView> {
    let world = platform.world();
    Json(StateView {
        clock: Reading::of(&world.clock),
        accounts: world.accounts_in_order().into_iter().map(|holder| view(&world, holder)).collect(),
        faults: world.faults.waiting().to_vec(),
        calls: world.journal.list(&Filter::default(), None, LATEST_CALLS).into_iter().cloned().collect(),
        last_id: world.journal.last_id(),
        pushes: world.pushes.list(|_| true, None, LATEST_PUSHES).into_iter().cloned().collect(),
        phone: world.phone.view(),
        merchants: world.merchants.in_order().into_iter().map(|holder| MerchantView::of(&world, holder)).collect(),
        notifications: world.merchants.notices.list(|_| true, None, LATEST_PUSHES).into_iter().cloned().collect(),
    })
}

pub(super) async fn reset(State(platform): State<Platform>) -> Json<Value> {
    {
        let mut world = platform.world();
        let addresses = world.addresses;
        *world = World::new(Clock::live());
        world.addresses = addresses;
    }
    platform.clock_turned();
    platform.tell(Event::Change("reset"));
    Json(json!({ "reset": true }))
}

/// One event for each API call (`call`, its record), each step of a push (`push`, its record) or of a notification of
/// WeChat Pay (`notification`, its record), and each change by the control API (`change`, what). After `missed`
/// a reader should look at the state again.
pub(super) async fn events(
    State(platform): State<Platform>,
    Extension(closing): Extension<Closing>,
) -> Sse<impl Stream<Item = Result<Message, Infallible>>> {
    let stream = futures::stream::unfold((platform.listen(), closing), |(mut events, closing)| async move {
        let received = tokio::select! {
            received = events.recv() => received,
            () = closing.0.cancelled() => return None,
        };
        let message = match received {
            Ok(Event::Call(record)) => Message::default().event("call").data(&*record),
            Ok(Event::Push(record)) => Message::default().event("push").data(&*record),
            Ok(Event::Notification(record)) => Message::default().event("notification").data(&*record),
            Ok(Event::Change(what)) => Message::default().event("change").data(json!({ "what": what }).to_string()),
            Err(RecvError::Lagged(missed)) => {
                Message::default().event("missed").data(json!({ "missed": missed }).to_string())
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(message), (events, closing)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// An account as the control API shows it.
pub(super) fn view(world: &World, holder: &Holder) -> AccountView {
    let now = world.clock.now();
    let mut tokens = Vec::new();
    for (slot, agentid) in [(&holder.classic, None), (&holder.stable, None)] {
        add_tokens(&mut tokens, world, slot, agentid);
    }
    for app in &holder.apps {
        add_tokens(&mut tokens, world, &app.slot, Some(app.agentid));
    }
    let of_account = holder.tickets.iter().filter_map(|(kind, tickets)| Some((*kind, None, tickets.current()?)));
    let of_app = |app: &'_ App| Some(("agent_config", Some(app.agentid), app.tickets.current()?.clone()));
    let mut tickets: Vec<_> =
        of_account.map(|(kind, agentid, ticket)| ticket_view(kind, agentid, ticket, now)).collect();
    for (kind, agentid, ticket) in holder.apps.iter().filter_map(of_app) {
        tickets.push(ticket_view(kind, agentid, &ticket, now));
    }
    AccountView {
        account: holder.card(),
        settings: holder.settings.clone(),
        tokens,
        tickets,
        quotas: quotas(holder, now),
        daily_quota: holder.usage.overrides().clone(),
        minute_quota: holder.usage.minute_overrides().clone(),
        forced_refreshes_today: holder.forced.used(now),
        quota_clears_this_month: holder.clears.used(now),
        phone: holder.people.phone().to_owned(),
        users: holder.people.all().count(),
        callback: holder.callback.as_ref().map(CallbackView::from),
        menu: holder.menu.clone(),
        apps: holder.apps.iter().map(app_view).collect(),
    }
}

fn app_view(app: &App) -> AppView {
    AppView {
        agentid: app.agentid,
        name: app.name.clone(),
        callback: app.callback.as_ref().map(CallbackView::from),
        menu: app.menu.clone(),
    }
}

fn add_tokens(views: &mut Vec<TokenView>, world: &World, slot: &Slot, agentid: Option<u64>) {
    let now = world.clock.now();
    for (name, text) in [("current", &slot.current), ("previous", &slot.previous)] {
        let Some(text) = text else { continue };
        let Some(token) = world.tokens.find(text) else { continue };
        views.push(TokenView {
            space: token.space,
            slot: name,
            agentid,
            access_token: text.clone(),
            state: token.life(now),
            issued: token.issued,
            good_until: token.good_until(),
        });
    }
}

fn ticket_view(kind: &'static str, agentid: Option<u64>, ticket: &Ticket, now: Time) -> TicketView {
    let Ticket { text, issued, expires } = ticket.clone();
    let state = if expires > now { Life::Valid } else { Life::Expired };
    TicketView { kind, agentid, ticket: text, state, issued, expires }
}

/// Paths that were called today or have a quota of their own.
fn quotas(holder: &Holder, now: Time) -> Vec<QuotaView> {
    let used: BTreeMap<&str, u64> = holder.usage.today(now).collect();
    let own = holder.usage.overrides().keys().map(String::as_str);
    let mut paths: Vec<&str> = used.keys().copied().chain(own).collect();
    paths.sort_unstable();
    paths.dedup();
    let quota = |path: &str| QuotaView {
        path: path.to_owned(),
        used: used.get(path).copied().unwrap_or(0),
        limit: holder.usage.limit(path).day,
    };
    paths.into_iter().map(quota).collect()
}
