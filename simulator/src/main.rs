//! Runs the simulated iCloud as a server.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use icloudds_simulator::{Account, SimConfig, Simulator};
use lexopt::prelude::*;

const USAGE: &str = "\
usage: icloudds-simulator [--listen 127.0.0.1:PORT] [--account FILE.json]
           [--switch NAME=VALUE]... [--latency-ms N] [--bandwidth BYTES_PER_SECOND]
           [--seed-items N] [--seed N] [--lifelike] [--stop-on-eof]

Serves a simulated iCloud until it is interrupted; with --stop-on-eof also when its standard input ends.
The drive is empty, or holds N generated items, or with --lifelike the demo's small tree.
Switches are those of docs/protocol-open-questions.md, e.g. --switch S-2fa=409+token.
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("icloudds-simulator: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut config = SimConfig::default();
    let mut stop_on_eof = false;
    let mut lifelike = false;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => config.listen = parser.value()?.parse()?,
            Long("account") => {
                let file = parser.value()?;
                let name = file.to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&file)
                    .map_err(|error| format!("account file {name}: {error}"))?;
                let mut account = Account::default();
                serde_json::from_str(&text)
                    .map_err(|error| error.to_string())
                    .and_then(|changes| account.merge(&changes))
                    .map_err(|error| format!("account file {name}: {error}"))?;
                config.account = account;
            }
            Long("switch") => {
                let text = parser.value()?.string()?;
                let (name, value) =
                    text.split_once('=').ok_or_else(|| format!("switch {text:?} is not NAME=VALUE"))?;
                config.switches.set(name, value)?;
            }
            Long("latency-ms") => {
                config.switches.latency = Duration::from_millis(parser.value()?.parse()?);
            }
            Long("bandwidth") => config.switches.bandwidth = Some(parser.value()?.parse()?),
            Long("seed-items") => config.seed_items = parser.value()?.parse()?,
            Long("seed") => config.seed = parser.value()?.parse()?,
            Long("lifelike") => lifelike = true,
            Long("stop-on-eof") => stop_on_eof = true,
            Short('h') | Long("help") => {
                print!("{USAGE}");
                return Ok(());
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (name, password) = (config.account.name.clone(), config.account.password.clone());
    let simulator = Simulator::start(config)?;
    if lifelike {
        simulator.drive().fill_lifelike()?;
    }
    let mut out = io::stdout().lock();
    writeln!(out, "url {}", simulator.url())?;
    writeln!(out, "home {}", simulator.home())?;
    writeln!(out, "setup {}", simulator.setup())?;
    writeln!(out, "auth {}", simulator.auth())?;
    writeln!(out, "account {name}")?;
    writeln!(out, "password {password}")?;
    out.flush()?;
    drop(out);
    if stop_on_eof {
        io::copy(&mut io::stdin().lock(), &mut io::sink())?;
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}
