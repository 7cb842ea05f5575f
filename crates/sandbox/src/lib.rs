//! A WeChat platform of one's own, for demos and tests.
//!
//! The sandbox answers on the paths of WeChat's API hosts and of its pages and keeps their rules, not only their
//! formats: tokens are replaced and die, quotas run out, wrong calls get WeChat's own error codes. Beside it stand a
//! control API under `/sandbox/…` and a page at `/`. It shares no rule with the code that it is there to test, and does
//! not know that a proxy exists.
//!
//! The map, in reading order; a module uses only those above it (`tests/order.rs` keeps it so):
//!
//! | module | what it holds |
//! | --- | --- |
//! | `clock` | moments, WeChat's calendar (UTC+8), the adjustable clock with its two paces |
//! | `chance` | ids, secrets, tokens and request ids that look like WeChat's |
//! | `allow_list`, `domains`, `path_pattern` | addresses and domains of accounts; paths with a `*` at the end |
//! | `person` | who somebody is, to every account alike |
//! | `token_book` | every token issued, and whether it is still good |
//! | `account`, `settings` | what an account is made from, and what can be changed about it |
//! | `ticket_book` | jsapi, card and agent tickets, also those that were replaced |
//! | `counter`, `usage` | counters that start over each minute, hour, day, month; limits per API |
//! | `wire` | one API call in, one reply out |
//! | `callback` | message push as bytes: signatures, encryption, XML, the judgement about replies |
//! | `chat` | users of accounts, what they see, menus, media, QR codes, templates, tags |
//! | `login`, `phone` | codes, web tokens, session keys, questions that wait for an answer; the phone that answers them |
//! | `merchant` | WeChat Pay: merchants, keys, orders, refunds, notifications as values and bytes |
//! | `faults`, `journal`, `pushes` | what goes wrong on purpose; what was received; what became of pushes |
//! | `qrcode` | texts as pictures, and pictures as texts |
//! | `addresses` | where the sandbox listens |
//! | `backend` | a team's server to push to, for trying things out |
//! | `world`, `shared_world` | the sum of the above: all state; its one lock, and the events of what happens |
//! | `pusher` | carries messages to callback URLs |
//! | `notifier` | settles refunds, carries notifications of WeChat Pay to merchants |
//! | `platform` | WeChat's APIs, a file a noun, the page of routes, and the `Platform` that holds all together |
//! | `control` | the control API |
//! | `page` | the page to look at |
//! | `gate`, `tls`, `serve` | who may talk to the sandbox; certificates on its door; the listener |

mod account;
mod addresses;
mod allow_list;
mod backend;
mod callback;
mod chance;
mod chat;
mod clock;
mod control;
mod counter;
mod domains;
mod faults;
mod gate;
mod journal;
mod login;
mod merchant;
mod notifier;
mod page;
mod path_pattern;
mod person;
mod phone;
mod platform;
mod pusher;
mod pushes;
mod qrcode;
mod serve;
mod settings;
mod shared_world;
mod ticket_book;
mod tls;
mod token_book;
mod usage;
mod wire;
mod world;

pub use account::{Account, AccountError, AccountKind, Agent, NewAccount};
pub use callback::{Callback, CallbackError, Format, Mode};
pub use merchant::{Coupon, GivenKey, KeyMode, Merchant, MerchantError, MerchantFiles, NewMerchant, TradeType};
pub use platform::Platform;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
