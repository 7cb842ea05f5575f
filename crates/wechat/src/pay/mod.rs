//! WeChat Pay: orders, refunds and notifications of a direct merchant, API v2 and API v3 behind one face.
//!
//! The way in: [`credentials`] reads what a team pasted, [`Merchant`] is a registered merchant. It makes a [`Call`] for
//! each operation, reads what comes back ([`Merchant::read`]) and opens notifications ([`Merchant::open`]). The caller
//! owns socket, clock and nonces ([`Stamp`]). Sources: WeChat Pay's merchant documents, `/doc/v2/merchant` and
//! `/doc/v3/merchant`.
//!
//! What must stay true: what comes out of a `Merchant` is verified, and in v2's flat names whichever version it came
//! from; no key is ever shown by `Debug` or an error; the bytes of a call depend on nothing but its arguments.

mod acknowledgement;
mod answer;
mod call;
pub mod credentials;
mod fee;
mod fields;
mod invocation;
mod merchant;
mod notice;
mod number;
mod order;
mod parameters;
mod received;
mod refund;
mod refusal;
pub mod time;
pub mod v2;
pub mod v3;

pub use acknowledgement::{Acknowledgement, acknowledgement, rejection};
pub use answer::{Answer, RefundStatus, TradeState};
pub use call::{Call, Inexpressible, Method, Operation, Stamp, USER_AGENT};
pub use fee::{Fee, FeeError, MAX_FEE};
pub use invocation::{AppParameters, JsapiParameters};
pub use merchant::{Merchant, MerchantError, Version};
pub use notice::{Notice, NoticeError, NoticeKind};
pub use number::{NumberError, OutRefundNo, OutTradeNo, PaymentNo, RefundNo};
pub use order::{Order, TradeType};
pub use received::{Received, SignatureHeaders};
pub use refund::Refund;
pub use refusal::{Doubt, NotDone, Refusal, Retry};
