//! Runs the simulated iCloud as a server.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use icloudds_simulator::http::tls::Tls;
use icloudds_simulator::{Account, SimConfig, Simulator, Switches};
use lexopt::prelude::*;

const USAGE: &str = "\
icloudds-simulator: a simulated iCloud Drive, with its sign-in, for tests of any client

usage: icloudds-simulator [OPTION]...

  --listen ADDRESS:PORT     where clients come (127.0.0.1:0, a free port of this machine)
  --control ADDRESS:PORT    where the control calls are answered, on loopback only
                            (the same address where that is on loopback, else 127.0.0.1:0)
  --ca-file FILE            writes the certificate authority here, for clients to trust
  --name HOST               one more name or address that the certificate is for; may be repeated
  --account FILE.json       members of the account that differ from the default one
  --switch NAME=VALUE       how the service behaves, e.g. S-2fa=409+token; may be repeated
  --switches                prints every switch with its value and ends
  --quick                   listings of root and trash take no time; else half a minute, as on a large account
  --latency-ms N            delay of every answer
  --bandwidth N             bytes per second of every body
  --seed-items N            so many generated items are in the drive at the start
  --lifelike                the demo's small tree is in the drive at the start
  --seed N                  decides everything that looks random
  --stop-on-eof             ends when its standard input ends
  -h, --help                this text

One port speaks plain HTTP, TLS for the names of iCloud, and is a proxy (CONNECT) that leads to them. The first lines on standard
output say where: url, home, setup, auth, account, password, control, proxy.

The code of the second factor is in `code`, and after a message in `messages`, of:  curl CONTROL/_sim/state

How to point rclone, pyicloud and icloudds at it, and what each switch does: docs/simulator.md
";

const FAULTS: &str = "\
Faults, a list among the switches; the first entry that strikes decides. All but `effect` may be left out:

  {\"faults\": [{\"kind\": \"listing\", \"path\": \"part of it\", \"skip\": 2, \"count\": 5, \"every\": 3, \"probability\": 0.5, \"seed\": 1,
               \"effect\": {\"answer\": {\"status\": 503, \"body\": \"html\", \"retry_after\": 30, \"code\": \"ZONE_BUSY\", \"headers\": []}}}]}

  other effects: \"applied-reply-lost\", \"not-applied-reply-lost\", \"truncate-body\", {\"cut-body-after\": BYTES},
  {\"stall-ms\": N}, {\"wrong-length\": BYTES}; kinds are the names in `counts` of GET /_sim/state
";

/// How long the root after a change and the trash take on a large account (docs/protocol.md §8.1).
const SLOW: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("icloudds-simulator: {error}");
            ExitCode::from(2)
        }
    }
}

/// The command line, read.
struct Options {
    config: SimConfig,
    names: Vec<String>,
    ca_file: Option<PathBuf>,
    stop_on_eof: bool,
    only_switches: bool,
}

fn options() -> Result<Option<Options>, Box<dyn Error>> {
    let mut config = SimConfig::default();
    config.switches = Switches { slow_root: SLOW, slow_trash: SLOW, ..config.switches };
    let mut options =
        Options { config, names: Vec::new(), ca_file: None, stop_on_eof: false, only_switches: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let config = &mut options.config;
        match argument {
            Long("listen") => config.listen = address("--listen", &parser.value()?.string()?)?,
            Long("control") => config.control = Some(address("--control", &parser.value()?.string()?)?),
            Long("ca-file") => options.ca_file = Some(parser.value()?.into()),
            Long("name") => options.names.push(parser.value()?.string()?),
            Long("account") => config.account = account(&parser.value()?.string()?)?,
            Long("switch") => {
                let text = parser.value()?.string()?;
                let (name, value) =
                    text.split_once('=').ok_or_else(|| format!("switch {text:?} is not NAME=VALUE"))?;
                config.switches.set(name, value)?;
            }
            Long("switches") => options.only_switches = true,
            Long("quick") => {
                (config.switches.slow_root, config.switches.slow_trash) = (Duration::ZERO, Duration::ZERO);
            }
            Long("latency-ms") => {
                config.switches.latency = Duration::from_millis(parser.value()?.parse()?);
            }
            Long("bandwidth") => config.switches.bandwidth = Some(parser.value()?.parse()?),
            Long("seed-items") => config.seed_items = parser.value()?.parse()?,
            Long("seed") => config.seed = parser.value()?.parse()?,
            Long("lifelike") => config.lifelike = true,
            Long("stop-on-eof") => options.stop_on_eof = true,
            Short('h') | Long("help") => {
                let account = serde_json::to_string_pretty(&Account::default())?;
                println!("{USAGE}\n{FAULTS}");
                println!("Control calls:\n\n{}", icloudds_simulator::control::help());
                println!(
                    "The account, for --account and POST /_sim/account; give the members that differ:\n\n{account}"
                );
                return Ok(None);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(Some(options))
}

fn address(option: &str, text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse().map_err(|error| format!("{option} {text}: {error}; write ADDRESS:PORT, e.g. 127.0.0.1:0"))
}

fn account(name: &str) -> Result<Account, String> {
    let text = std::fs::read_to_string(name).map_err(|error| format!("account file {name}: {error}"))?;
    let mut account = Account::default();
    serde_json::from_str(&text)
        .map_err(|error| error.to_string())
        .and_then(|changes| account.merge(&changes))
        .map_err(|error| format!("account file {name}: {error}"))?;
    Ok(account)
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(Options { mut config, names, ca_file, stop_on_eof, only_switches }) = options()? else {
        return Ok(());
    };
    if only_switches {
        println!("{}", serde_json::to_string_pretty(&config.switches)?);
        return Ok(());
    }
    let tls = Tls::new(&names).map_err(|error| format!("--name {}: {error}", names.join(", ")))?;
    if let Some(file) = &ca_file {
        std::fs::write(file, tls.authority_pem())
            .map_err(|error| format!("--ca-file {}: {error}", file.display()))?;
    }
    config.tls = Some(tls);
    if !config.listen.ip().is_loopback() && config.control.is_none() {
        config.control = Some(([127, 0, 0, 1], 0).into());
    }
    let (name, password) = (config.account.name.clone(), config.account.password.clone());
    let simulator = Simulator::start(config)?;
    let lines = [
        ("url", simulator.url()),
        ("home", simulator.home()),
        ("setup", simulator.setup()),
        ("auth", simulator.auth()),
        ("account", name),
        ("password", password),
        ("control", simulator.control().unwrap_or_default()),
        ("proxy", simulator.url()),
    ];
    let text: String = lines.iter().map(|(what, value)| format!("{what} {value}\n")).collect();
    // At once: who reads only some of the lines may close the pipe after them.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
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
