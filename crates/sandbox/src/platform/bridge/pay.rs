//! `getBrandWCPayRequest`: what the client checks before it shows the pay sheet, and what comes of it.
//!
//! `POST /jsbridge/pay` with the page's parameters gives the sheet; `POST /jsbridge/pay/decide` with the same
//! parameters and a decision pays or cancels. `err_msg` is what the page gets to see.

use serde::Deserialize;
use serde_json::{Value, json};

use super::done;
use crate::merchant::{Means, PageRequest, Refused};
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
    request: PageRequest,
    decision: Decision,
    /// With what it is paid.
    purse: Purse,
}

pub(in crate::platform) fn look(desk: &mut Desk<'_>) -> Reply {
    let looked = wish(desk).and_then(|wish| payments::look(desk.world, &means(wish.request), None));
    match looked.and_then(|sheet| sheet.refused.clone().map_or(Ok(sheet), Err)) {
        Ok(sheet) => done(&json!({ "sheet": sheet }), 0).with_note("shows the pay sheet"),
        Err(refused) => fail(&refused),
    }
}

pub(in crate::platform) fn decide(desk: &mut Desk<'_>) -> Reply {
    let decided = wish(desk).and_then(|Wish { request, decision, purse }| match decision {
        Decision::Pay => payments::pay(desk.world, &means(request), purse).map(|_| "ok"),
        Decision::Cancel => payments::look(desk.world, &means(request), None).map(|_| "cancel"),
    });
    match decided {
        Ok(word) => {
            let err_msg = format!("get_brand_wcpay_request:{word}");
            done(&json!({ "err_msg": err_msg }), 0).with_note(err_msg)
        }
        Err(refused) => fail(&refused),
    }
}

fn wish(desk: &Desk<'_>) -> Result<Wish, Refused> {
    let wrong = |error: serde_json::Error| Refused::new("参数错误", error.to_string());
    serde_json::from_slice(&desk.call.body).map_err(wrong)
}

fn means(request: PageRequest) -> Means {
    Means { request: Some(request), ..Means::default() }
}

fn fail(refused: &Refused) -> Reply {
    let answer: Value = json!({
        "err_msg": "get_brand_wcpay_request:fail", "err_desc": refused.text, "hint": refused.hint,
    });
    done(&answer, -1).with_note(format!("get_brand_wcpay_request:fail {}", refused.hint))
}
