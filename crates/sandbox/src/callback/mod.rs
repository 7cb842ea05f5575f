//! Message push as bytes: what WeChat sends to a callback URL, and what it makes of the answer.
//!
//! Used by `pusher`, which has the sockets, the clock and the chance. Nothing here waits, reads a clock or makes
//! anything up, so the published vectors can be checked bit by bit.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config` | an account's callback settings, checked when they are set |
//! | `cipher` | signatures and the encryption scheme |
//! | `xml` | a reader and a writer for WeChat's XML, by way of JSON values |
//! | `message` | a message or event with all that WeChat adds to it |
//! | `envelope` | the requests: URL check and push, in each mode and format |
//! | `content` | what a person sees of a message |
//! | `reply` | the judgement about an answer |

mod cipher;
mod config;
mod content;
mod envelope;
mod message;
mod reply;
mod xml;

pub use config::{Callback, CallbackError, Format, Mode};
pub(crate) use config::{CallbackView, NewCallback};
pub(crate) use content::{Content, Line, text_of};
pub(crate) use envelope::{Stamp, push, url_check};
pub(crate) use message::{Conversation, Message, Numbers};
pub(crate) use reply::{Answered, Expected, Malformed, read};
pub(crate) use xml::{from_xml, to_xml};
