//! WeChat's platform: the APIs, a file a noun, the pages of its other hosts, and the [`Platform`] that holds them
//! together with all state.
//!
//! A call comes in at `reception`, which applies faults and keeps the journal; `routes` finds its handler; the handler
//! works on a `desk` and answers or refuses. Handlers never wait: the state is locked for one handler at a time and
//! never while something is waited for.

mod bridge;
mod contacts;
mod custom_messages;
mod desk;
mod followers;
mod materials;
mod media;
mod members;
mod menus;
mod mini_login;
mod mini_tools;
mod pages;
mod pay_v2;
mod pay_v3;
pub(crate) mod payments;
mod platform_ips;
mod qrcodes;
mod quota;
mod reception;
mod refusal;
mod routes;
mod subscriptions;
mod tags;
mod templates;
mod tickets;
mod tokens;
mod web_login;
mod wecom;
mod wecom_messages;
mod wording;

use std::sync::{Arc, MutexGuard};

use tokio::sync::broadcast;

pub(crate) use reception::Ended;

use crate::account::{Account, AccountError, NewAccount};
use crate::callback::{Callback, CallbackError};
use crate::chat::Menu;
use crate::merchant::{Merchant, MerchantError, MerchantFiles, NewMerchant, ca_pem};
use crate::notifier::Notifier;
use crate::pusher::Pusher;
use crate::shared_world::{Event, SharedWorld};
use crate::world::World;

/// A simulated WeChat platform. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct Platform {
    world: SharedWorld,
    /// Names besides loopback under which it may be reached.
    hosts: Arc<[String]>,
    pusher: Arc<Pusher>,
    notifier: Arc<Notifier>,
}

impl Platform {
    /// A platform with a clock that runs with the machine's, and no accounts.
    pub fn new() -> Platform {
        let world = SharedWorld::new();
        let (pusher, notifier) = (Pusher::new(world.clone()), Notifier::new(world.clone()));
        Platform { world, hosts: Arc::new([]), pusher: Arc::new(pusher), notifier: Arc::new(notifier) }
    }

    /// Lets the platform be reached under more names than loopback's, as the `Host` header says them without a port;
    /// `*` is any name. Without it a web page could reach the sandbox by letting its own name point to 127.0.0.1.
    #[must_use]
    pub fn allow_hosts(self, hosts: impl IntoIterator<Item = String>) -> Platform {
        Platform { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(), ..self }
    }

    /// Makes an account; what the wish leaves open is made up in WeChat's shapes.
    ///
    /// # Errors
    ///
    /// When the id is taken or cannot be one, the secret or name cannot be one, or there are too many accounts.
    pub fn create_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let account = self.world().create_account(account)?;
        self.tell(Event::Change("accounts"));
        Ok(account)
    }

    /// Sets where the pushes of an account go (of a corp: those of its first app), without WeChat's check of the URL.
    ///
    /// # Errors
    ///
    /// When there is no such account.
    pub fn set_callback(&self, appid: &str, callback: Callback) -> Result<(), CallbackError> {
        self.world().set_callback(appid, None, Some(callback))?;
        self.tell(Event::Change("accounts"));
        Ok(())
    }

    /// Gives an account a menu that shows what menus can do; `links` are its links, each with a name.
    ///
    /// # Errors
    ///
    /// When there is no such account.
    pub fn set_demo_menu(&self, appid: &str, links: &[(&str, String)]) -> Result<(), CallbackError> {
        let mut world = self.world();
        let id = world.next_menu_id();
        let holder = world.accounts.get_mut(appid).ok_or_else(|| CallbackError::Unknown(appid.to_owned()))?;
        holder.menu = Menu::parse(&demo_menu(links), id).ok();
        drop(world);
        self.tell(Event::Change("accounts"));
        Ok(())
    }

    /// Makes a merchant of WeChat Pay; what the wish leaves open is made up.
    ///
    /// # Errors
    ///
    /// When the number is taken, something of the wish cannot be, or there are too many merchants.
    pub fn create_merchant(&self, wish: NewMerchant) -> Result<Merchant, MerchantError> {
        let merchant = self.world().merchants.create(wish)?;
        self.tell(Event::Change("merchants"));
        Ok(merchant)
    }

    /// The files that a merchant downloads from the merchant platform: certificate, keys. `None` when there is no such
    /// merchant. Keys that were not given are made at the first call, which takes a moment.
    pub fn merchant_files(&self, mch_id: &str) -> Option<MerchantFiles> {
        let files = self.world().merchants.get(mch_id).map(crate::merchant::MerchantHolder::files);
        files.map(|files| files())
    }

    /// The certificate of the authority that issues the sandbox's certificates, PEM: of its TLS address, and of
    /// merchants. The same for the whole process.
    pub fn ca_pem(&self) -> String {
        ca_pem()
    }

    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    /// Tells whatever waits for the clock that it was turned.
    pub(crate) fn clock_turned(&self) {
        self.world.clock_turned();
    }

    pub(crate) fn pusher(&self) -> &Arc<Pusher> {
        &self.pusher
    }

    /// All state, locked.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Whether the sandbox fetches something from there for whoever asks: from this machine, and from the names under
    /// which it may be reached itself.
    pub(crate) fn may_fetch(&self, url: &reqwest::Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host.parse().is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback());
        loopback || host == "localhost" || self.hosts.iter().any(|allowed| allowed == "*" || allowed == host)
    }

    /// Tells an event to whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        self.world.tell(event);
    }

    pub(crate) fn is_listened_to(&self) -> bool {
        self.world.is_listened_to()
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.world.listen()
    }
}

/// One button of each kind that can be tried without a camera.
fn demo_menu(links: &[(&str, String)]) -> serde_json::Value {
    let view = |(name, url): &(&str, String)| serde_json::json!({ "type": "view", "name": name, "url": url });
    let links: Vec<_> = links.iter().map(view).collect();
    serde_json::json!({ "button": [
        { "type": "click", "name": "今日推荐", "key": "TODAY" },
        { "name": "试一试", "sub_button": [
            { "type": "scancode_waitmsg", "name": "扫一扫", "key": "SCAN" },
            { "type": "pic_photo_or_album", "name": "发张照片", "key": "PHOTO" },
            { "type": "location_select", "name": "发送位置", "key": "PLACE" },
            { "type": "click", "name": "赞一下", "key": "GOOD" },
        ] },
        { "name": "网页", "sub_button": links },
    ] })
}

impl Default for Platform {
    fn default() -> Platform {
        Platform::new()
    }
}

#[cfg(test)]
mod tests;
