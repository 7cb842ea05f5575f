//! `getBrandWCPayRequest`: what the client checks before it shows the pay sheet, and what comes of it.
//!
//! `POST /jsbridge/pay` with the page's parameters gives the sheet; `POST /jsbridge/pay/decide` with the same
//! parameters and a decision pays or cancels. `err_msg` is what the page gets to see.

use serde::Deserialize;
use serde_json::{Value, json};

use super::done;
use crate::merchant::{Means, Refused};
use crate::platform::desk::Desk;
use crate::platform::payments::{self, Purse};
use crate::wire::Reply;

/// What the person decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Pay,
    #[default]
    Cancel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    request: crate::merchant::PageRequest,
    decision: Decision,
}

pub(in crate::platform) fn look(desk: &mut Desk<'_>) -> Reply {
    let looked = wish(desk).and_then(|wish| payments::look(desk.world, &means(wish), None));
    match looked.and_then(|sheet| sheet.refused.clone().map_or(Ok(sheet), Err)) {
        Ok(sheet) => done(&json!({ "sheet": sheet }), 0),
        Err(refused) => fail(&refused),
    }
}

pub(in crate::platform) fn decide(desk: &mut Desk<'_>) -> Reply {
    let wish = match wish(desk) {
        Ok(wish) => wish,
        Err(refused) => return fail(&refused),
    };
    let decision = wish.decision;
    let means = means(wish);
    let decided = match decision {
        Decision::Pay => payments::pay(desk.world, &means, Purse::default()).map(|_| "ok"),
        Decision::Cancel => payments::look(desk.world, &means, None).map(|_| "cancel"),
    };
    match decided {
        Ok(word) => done(&json!({ "err_msg": format!("get_brand_wcpay_request:{word}") }), 0),
        Err(refused) => fail(&refused),
    }
}

fn wish(desk: &Desk<'_>) -> Result<Wish, Refused> {
    let wrong = |error: serde_json::Error| Refused::new("参数错误", error.to_string());
    serde_json::from_slice(&desk.call.body).map_err(wrong)
}

fn means(wish: Wish) -> Means {
    Means { request: Some(wish.request), ..Means::default() }
}

fn fail(refused: &Refused) -> Reply {
    let answer: Value = json!({
        "err_msg": "get_brand_wcpay_request:fail", "err_desc": refused.text, "hint": refused.hint,
    });
    done(&answer, -1).with_note(format!("get_brand_wcpay_request:fail {}", refused.hint))
}
