//! A tour of icloudds on a simulated iCloud: `cargo run --release --example demo`.
//!
//! Nothing leaves this machine, and no account is needed. The program that it runs is the real one: this example starts
//! itself again with `--icloudds`, which hands over to the program's own command line.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use icloudds_simulator::{SimConfig, Simulator};
use sha1::{Digest as _, Sha1};
use unicode_normalization::UnicodeNormalization as _;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The first argument that makes this the program itself.
const AS_PROGRAM: &str = "--icloudds";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == AS_PROGRAM) {
        return as_program(arguments.skip(1));
    }
    match demonstrate() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(2)
        }
    }
}

/// What the program's own `main` does.
fn as_program(arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    icloudds::panics::install();
    match icloudds::cli::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("icloudds: {error}\n  {}", error.advice());
            error.exit_code().into()
        }
    }
}

fn demonstrate() -> Outcome<bool> {
    let stage = Stage::new()?;
    println!(
        "\n  icloudds, shown on a simulated iCloud at {}. Nothing leaves this machine.",
        stage.sim.url()
    );

    title("A folder with files of its own, and an iCloud Drive with others");
    stage.write("Welcome.txt", "This drive is simulated.\n")?;
    stage.write("Notes/Einkauf – für Freitag.md", "- Brot\n- Käse\n")?;
    stage.write("Documents/Tax/receipt 1.txt", "100\n")?;
    fs::create_dir_all(stage.drive.join("An empty folder of mine"))?;
    stage.sim.drive().fill_lifelike()?;
    println!("    here        {}", counted(&stage.here()?));
    println!("    on iCloud   {}", counted(&stage.there()?));

    title("icloudds login");
    stage.login()?;

    title("icloudds plan");
    show_plan(&text(stage.run(&["plan"])?.stdout));

    title("icloudds once: the first sync");
    stage.once()?;
    let mut equal = stage.compare()?;

    title("icloudds once, again: nothing to do");
    let before = stage.sim.counts();
    stage.once()?;
    show_requests(&before, &stage.sim.counts());

    title("Meanwhile, here");
    let doing = |what: &str| println!("    {what}");
    doing("edited    Welcome.txt");
    stage.write("Welcome.txt", "This drive is simulated, and this line was added here.\n")?;
    doing("renamed   Projects/icloudds to Projects/sync");
    fs::rename(stage.drive.join("Projects/icloudds"), stage.drive.join("Projects/sync"))?;
    doing("edited    Documents/Tax/2025.csv");
    stage.write("Documents/Tax/2025.csv", "month,amount\n1,100\n2,90\n3,75 (entered here)\n")?;
    doing("deleted   Photos/2025/Summer/IMG_0001.jpg");
    fs::remove_file(stage.drive.join("Photos/2025/Summer/IMG_0001.jpg"))?;

    title("Meanwhile, on a phone");
    let phone = stage.sim.drive();
    doing("edited    Projects/icloudds/notes/todo 🎉.txt");
    phone.write("Projects/icloudds/notes/todo 🎉.txt", "celebrate, and tidy up\n")?;
    doing("edited    Documents/Tax/2025.csv, which was edited here too");
    phone.write("Documents/Tax/2025.csv", "month,amount\n1,100\n2,90\n3,80 (entered there)\n")?;
    doing("moved     Photos/2025 to the top");
    phone.move_to("Photos/2025", "")?;
    doing("deleted   Projects/ключ.txt");
    phone.trash("Projects/ключ.txt")?;

    title("icloudds plan");
    show_plan(&text(stage.run(&["plan"])?.stdout));

    title("icloudds once");
    stage.once()?;

    title("icloudds trash list: what was deleted or replaced here");
    for line in text(stage.run(&["trash", "list"])?.stdout).lines() {
        println!("    {line}");
    }
    title("Recently Deleted on iCloud");
    for (path, _) in stage.sim.drive().trash_contents() {
        println!("    {path}");
    }

    title("Both sides, compared byte by byte");
    equal &= stage.compare()?;
    let lost = stage.sim.drive().lost_contents()?;
    let broken = stage.sim.violations();
    for path in lost.iter().map(|lost| &lost.path) {
        println!("    ✗ lost: {path}");
    }
    for rule in &broken {
        println!("    ✗ a rule of the protocol was broken: {rule}");
    }
    println!();
    Ok(equal && lost.is_empty() && broken.is_empty())
}

/// What is at a path: nothing more for a folder or a package, a digest for a file.
type Tree = BTreeMap<String, Option<(u64, String)>>;

/// The simulated iCloud, a folder, and the program's configuration.
struct Stage {
    sim: Simulator,
    drive: PathBuf,
    config: PathBuf,
    _temp: tempfile::TempDir,
}

impl Stage {
    fn new() -> Outcome<Self> {
        let sim = Simulator::start(SimConfig::default())?;
        let temp = tempfile::tempdir()?;
        let (drive, config) = (temp.path().join("drive"), temp.path().join("config.toml"));
        fs::create_dir(&drive)?;
        let (name, password) = {
            let state = sim.core().state();
            (state.account.name.clone(), state.account.password.clone())
        };
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let lines = [
            "[account]".to_owned(),
            format!("username = {}", quoted(&name)),
            format!("password = {}", quoted(&password)),
            "[sync]".to_owned(),
            format!("directory = {}", quoted(&drive.display().to_string())),
            format!("state_directory = {}", quoted(&temp.path().join("state").display().to_string())),
            "[icloud]".to_owned(),
            format!("home = {}", quoted(&sim.home())),
            format!("setup = {}", quoted(&sim.setup())),
            format!("auth = {}", quoted(&sim.auth())),
        ];
        fs::write(&config, lines.join("\n"))?;
        Ok(Self { sim, drive, config, _temp: temp })
    }

    fn command(&self, arguments: &[&str]) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(AS_PROGRAM).arg("--config").arg(&self.config).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            // Settings of the real thing must not reach the demonstration.
            if name.to_string_lossy().starts_with("ICLOUDDS_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

    /// Runs the program; a failure is the demonstration's failure.
    fn run(&self, arguments: &[&str]) -> Outcome<Output> {
        let output = self.command(arguments)?.output()?;
        if output.status.success() {
            return Ok(output);
        }
        Err(format!("icloudds {} failed:\n{}", arguments.join(" "), text(output.stderr)).into())
    }

    /// Signs in through a pipe, as a person would on a terminal.
    fn login(&self) -> Outcome<()> {
        let mut child = self.command(&["login"])?.stdin(Stdio::piped()).spawn()?;
        let mut answers = child.stdin.take().ok_or("no pipe")?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        let mut heard = String::new();
        writeln!(answers, "0")?;
        while !heard.contains("Sent to your trusted devices.") {
            if said.read_line(&mut heard)? == 0 {
                return Err(format!("icloudds login ended early:\n{heard}").into());
            }
        }
        let code = self.sim.device_code().ok_or("no device shows a code")?;
        println!("    The trusted devices show the code {code}.");
        writeln!(answers, "{code}")?;
        drop(answers);
        said.read_to_string(&mut heard)?;
        if !child.wait()?.success() {
            return Err(format!("icloudds login failed:\n{heard}").into());
        }
        println!("    Signed in. The session is stored; from now on nothing is asked.");
        Ok(())
    }

    /// Syncs, and shows what the log says was done.
    fn once(&self) -> Outcome<()> {
        let output = self.run(&["once"])?;
        for line in text(output.stderr).lines() {
            // `DATE TIME LEVEL MESSAGE key=value…`
            let message = line.splitn(4, ' ').nth(3).unwrap_or_default();
            let Some((word, rest)) = message.split_once(' ') else { continue };
            let sign = match word {
                "downloaded" => "↓",
                "uploaded" => "↑",
                "renamed" | "moved" => "→",
                "deleted" => "×",
                "made" => "+",
                "conflict" => "!",
                "in" if rest.starts_with("sync") => "=",
                _ => continue,
            };
            println!("    {sign} {word} {}", with_size(rest));
        }
        Ok(())
    }

    fn write(&self, path: &str, content: &str) -> io::Result<()> {
        let at = self.drive.join(path);
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(at, content)
    }

    fn here(&self) -> Outcome<Tree> {
        let mut tree = Tree::new();
        walk(&self.drive, "", &mut tree)?;
        Ok(tree)
    }

    fn there(&self) -> Outcome<Tree> {
        let entries = self.sim.drive().tree().into_iter();
        entries.map(|(path, entry)| Ok((path, entry.sha1()?.map(|sha1| (entry.size, sha1))))).collect()
    }

    /// Compares both sides, tells the difference, and whether there is none.
    fn compare(&self) -> Outcome<bool> {
        let (here, there) = (self.here()?, self.there()?);
        let mut equal = true;
        for path in here.keys().chain(there.keys().filter(|path| !here.contains_key(*path))) {
            let problem = match (here.get(path), there.get(path)) {
                (Some(_), None) => "only here",
                (None, _) => "only on iCloud",
                // A package is a directory there and its archive here.
                (Some(Some(_)), Some(None)) if self.is_package(path) => continue,
                (Some(a), Some(b)) if a == b => continue,
                _ => "different",
            };
            println!("    ✗ {problem}: {path}");
            equal = false;
        }
        if equal {
            println!("    ✓ both sides are equal: {}", counted(&here));
        }
        Ok(equal)
    }

    fn is_package(&self, path: &str) -> bool {
        self.sim.drive().entry(path).is_some_and(|entry| !entry.kind.is_folder() && entry.content.is_none())
    }
}

fn walk(folder: &Path, above: &str, tree: &mut Tree) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name: String = entry.file_name().to_string_lossy().nfc().collect();
        if above.is_empty() && name == ".icloudds" {
            continue;
        }
        let path = if above.is_empty() { name } else { format!("{above}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, tree)?;
            tree.insert(path, None);
        } else {
            tree.insert(path, Some(digest(&entry.path())?));
        }
    }
    Ok(())
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut len, mut buffer) = (Sha1::new(), 0, vec![0; 1 << 16]);
    loop {
        let got = file.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        hasher.update(&buffer[..got]);
        len += got as u64;
    }
    Ok((len, hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn title(text: &str) {
    println!("\n  {text}");
}

/// The lines of a plan that change a side; a long one is cut at its end.
fn show_plan(plan: &str) {
    const MOST: usize = 12;
    let (agreed, lines): (Vec<_>, Vec<_>) = plan.lines().partition(|line| line.starts_with("state only"));
    for line in lines.iter().take(MOST) {
        println!("    {line}");
    }
    if lines.len() > MOST {
        println!("    … and {} more", lines.len() - MOST);
    }
    if !agreed.is_empty() {
        println!("    {} items are the same on both sides", agreed.len());
    }
}

fn show_requests(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) {
    let asked = |kind: &str| after.get(kind).unwrap_or(&0) - before.get(kind).unwrap_or(&0);
    let sum = |kinds: &[&str]| kinds.iter().map(|kind| asked(kind)).sum::<u64>();
    println!(
        "    {} listings, {} transfers, {} changes, {} sign-ins",
        sum(&["listing", "listing.trash"]),
        sum(&["download.content", "upload.content"]),
        sum(&["commit", "create", "rename", "move", "trash", "delete"]),
        sum(&["signin.complete", "accountLogin"]),
    );
}

fn counted(tree: &Tree) -> String {
    let files = tree.values().flatten();
    let bytes: u64 = files.clone().map(|(len, _)| len).sum();
    let folders = tree.values().filter(|node| node.is_none()).count();
    format!("{} files in {folders} folders, {}", files.count(), size(bytes))
}

/// `PATH bytes=N` as `PATH (N kB)`.
fn with_size(message: &str) -> String {
    match message.rsplit_once(" bytes=").and_then(|(path, bytes)| Some((path, bytes.parse().ok()?))) {
        Some((path, bytes)) => format!("{path}  ({})", size(bytes)),
        None => message.to_owned(),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
