//! `wechat-proxy order …`: orders on the command line, in the database itself.

use std::process::ExitCode;

use engine::Engine;

use super::{cannot_start, complain, failed, say};
use crate::cli::{OrderCommand, OrderFilter};
use crate::config::EXIT_CODE;
use crate::payment::order_filter::{self, OrderPage};
use crate::{Config, Server};

/// Does what the command says.
pub(super) async fn run(config: &Config, command: OrderCommand) -> ExitCode {
    // First the parameters: a mistake in them must not leave a new database behind.
    let work = match Work::of(command) {
        Ok(work) => work,
        Err(problem) => {
            complain(&problem);
            return ExitCode::from(EXIT_CODE);
        }
    };
    let engine = match Server::engine_only(config).await {
        Ok(engine) => engine,
        Err(error) => return cannot_start(&error),
    };
    let done = work.run(&engine).await;
    engine.store.close().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

/// A command whose parameters are right.
enum Work {
    List(Box<OrderPage>),
    Show(String),
}

impl Work {
    fn of(command: OrderCommand) -> Result<Self, String> {
        Ok(match command {
            OrderCommand::List(filter) => Self::List(Box::new(OrderPage::read(|name| value(&filter, name))?)),
            OrderCommand::Show { id } => Self::Show(id),
        })
    }

    async fn run(self, engine: &Engine) -> Result<(), String> {
        match self {
            Self::List(page) => {
                let orders = engine.payment.orders(&page.filter, page.after, page.limit).await;
                let orders = orders.map_err(|error| error.to_string())?;
                for order in orders.ok_or("the order of --after is no longer kept; begin again without it")? {
                    say(&order.line());
                }
                Ok(())
            }
            Self::Show(id) => show(engine, &id).await,
        }
    }
}

async fn show(engine: &Engine, text: &str) -> Result<(), String> {
    let id = match order_filter::id(text) {
        Ok(id) => Some(id),
        Err(_) => engine.payment.find(text).await.map_err(|error| error.to_string())?,
    };
    let record = match id {
        Some(id) => engine.payment.show(id).await.map_err(|error| error.to_string())?,
        None => None,
    };
    let record = record.ok_or_else(|| format!("no order {text} is kept"))?;
    say(&serde_json::to_string_pretty(&record).map_err(|error| error.to_string())?);
    Ok(())
}

fn value(filter: &OrderFilter, name: &str) -> Option<String> {
    let value = match name {
        "key" => &filter.key,
        "appid" => &filter.appid,
        "mch_id" => &filter.mch_id,
        "out_trade_no" => &filter.out_trade_no,
        "transaction_id" => &filter.transaction_id,
        "state" => &filter.state,
        "type" => &filter.trade_type,
        "openid" => &filter.openid,
        "since" => &filter.since,
        "until" => &filter.until,
        "after" => &filter.after,
        "limit" => &filter.limit,
        _ => &None,
    };
    value.clone().filter(|value| !value.is_empty())
}
