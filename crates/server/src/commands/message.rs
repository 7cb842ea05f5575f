//! `wechat-proxy message …`: WeChat's messages on the command line, in the database itself.

use std::process::ExitCode;

use engine::Engine;
use store::MessageId;

use super::{cannot_start, complain, failed, say};
use crate::cli::{MessageCommand, MessageFilter};
use crate::config::EXIT_CODE;
use crate::message_filter::{self, MessagePage};
use crate::{Config, Server};

/// Does what the command says.
pub(super) async fn run(config: &Config, command: MessageCommand) -> ExitCode {
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
    List(Box<MessagePage>),
    Show(MessageId),
    Replay(MessageId, Option<usize>),
}

impl Work {
    fn of(command: MessageCommand) -> Result<Self, String> {
        Ok(match command {
            MessageCommand::List(filter) => Self::List(Box::new(MessagePage::read(|name| value(&filter, name))?)),
            MessageCommand::Show { id } => Self::Show(message_filter::id(&id)?),
            MessageCommand::Replay { id, backend } => Self::Replay(message_filter::id(&id)?, backend),
        })
    }

    async fn run(self, engine: &Engine) -> Result<(), String> {
        let none = |id: MessageId| format!("no message {id} is kept (or it has no such backend)");
        match self {
            Self::List(page) => {
                let records = engine.records.list(&page.filter, page.after, page.limit).await;
                let records = records.map_err(|error| error.to_string())?;
                for record in records.ok_or("the message of --after is no longer kept; begin again without it")? {
                    say(&record.line());
                }
            }
            Self::Show(id) => {
                let record = engine.records.show(id).await.map_err(|error| error.to_string())?;
                let record = record.ok_or_else(|| none(id))?;
                say(&serde_json::to_string_pretty(&record).map_err(|error| error.to_string())?);
            }
            Self::Replay(id, backend) => {
                if !engine.records.replay(id, backend).await.map_err(|error| error.to_string())? {
                    return Err(none(id));
                }
                say(&format!("{id} is sent again by the running server, within some seconds"));
            }
        }
        Ok(())
    }
}

fn value(filter: &MessageFilter, name: &str) -> Option<String> {
    let value = match name {
        "key" => &filter.key,
        "appid" => &filter.appid,
        "type" => &filter.msg_type,
        "event" => &filter.event,
        "openid" => &filter.openid,
        "state" => &filter.state,
        "since" => &filter.since,
        "until" => &filter.until,
        "after" => &filter.after,
        "limit" => &filter.limit,
        _ => &None,
    };
    value.clone().filter(|value| !value.is_empty())
}
