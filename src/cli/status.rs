//! `partita status`: how a running server is doing.

use std::io::Write;

use clap::Args;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::ConnectFlags;
use super::json;
use super::remote::{CallError, Remote, Server};
use super::status_page;
use crate::wire::{Reply, Request};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Asks and prints.
pub(crate) fn run(
    args: &StatusArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (_, reply) = Server::connect(settings)?.call(&Request::Status)?;
    let Reply::Status(report) = reply else {
        let kind = reply.kind();
        return Err(
            CallError::Unavailable(format!("{kind:?} came where a status belongs").into()).into()
        );
    };
    if args.json {
        json::write(out, &report)?;
    } else {
        status_page::write(&report, out)?;
    }
    Ok(Exit::Ok)
}
