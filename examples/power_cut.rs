//! Power cuts on real file systems: `cargo run --example power_cut -- ext4 xfs btrfs` (as root, with loop devices).
//!
//! The program syncs a folder on an image with a simulated iCloud, while persons write and nobody syncs. Then the power goes:
//! either the image is copied as it is (it holds what the file system had written back), or the file system is shut down
//! without its log. What is left is mounted, and the program goes on. What it had agreed on must be there, and nothing that came
//! to iCloud may be undone. This example starts itself again with `--icloudds`, which is the program's own command line.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime};

use icloudds_simulator::{SimConfig, Simulator};

type Outcome<T> = Result<T, Box<dyn Error>>;

const AS_PROGRAM: &str = "--icloudds";
const FILES: usize = 24;
/// So few that no guard against wholesale overwriting minds them.
const FEW: usize = 8;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == AS_PROGRAM) {
        icloudds::panics::install();
        return match icloudds::cli::run(arguments.skip(1)) {
            Ok(exit) => exit.into(),
            Err(error) => {
                eprintln!("icloudds: {error}\n  {}", error.advice());
                error.exit_code().into()
            }
        };
    }
    let mut failed = false;
    for kind in arguments {
        let kind = kind.to_string_lossy().into_owned();
        for cut in [Cut::Copy, Cut::Shutdown] {
            let told =
                match Volume::new(&kind).map(|volume| (cut == Cut::Copy || volume.can_shut_down(), volume)) {
                    Err(why) => format!("not tried: {why}"),
                    Ok((false, _)) => "not tried: this file system has no such call".to_owned(),
                    Ok((true, volume)) => match Stage::new(volume).and_then(|mut stage| stage.play(cut)) {
                        Ok(()) => "nothing is lost".to_owned(),
                        Err(why) => {
                            failed = true;
                            format!("FAILED: {why}")
                        }
                    },
                };
            println!("{kind}, {cut:?}: {told}");
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// How the power goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The image as it is at that moment.
    Copy,
    /// The file system is shut down without writing its log.
    Shutdown,
}

fn tool(name: &str, arguments: &[&str]) -> Outcome<()> {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()).into()),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is a text")
}

/// An image with a file system, mounted.
struct Volume {
    temp: tempfile::TempDir,
    kind: String,
}

impl Volume {
    fn new(kind: &str) -> Outcome<Self> {
        let volume = Self { temp: tempfile::tempdir()?, kind: kind.to_owned() };
        File::create(volume.image())?.set_len(512 << 20)?;
        fs::create_dir(volume.at())?;
        tool(&format!("mkfs.{kind}"), &["-q", text(&volume.image())])?;
        volume.mount()?;
        Ok(volume)
    }

    fn image(&self) -> PathBuf {
        self.temp.path().join("image")
    }

    fn at(&self) -> PathBuf {
        self.temp.path().join("at")
    }

    fn mount(&self) -> Outcome<()> {
        // What nobody asks for comes to the image late.
        let options = if self.kind == "xfs" { "loop" } else { "loop,commit=300" };
        tool("mount", &["-t", &self.kind, "-o", options, text(&self.image()), text(&self.at())])
    }

    fn can_shut_down(&self) -> bool {
        self.kind != "btrfs"
    }

    /// What is left after the power went, mounted again.
    fn cut(&self, how: Cut) -> Outcome<()> {
        self.cut_while_open(how, Vec::new())
    }

    /// The same, while these files are open.
    fn cut_while_open(&self, how: Cut, open: Vec<File>) -> Outcome<()> {
        let (image, copy) = (self.image(), self.temp.path().join("copy"));
        match how {
            Cut::Copy => tool("cp", &["--sparse=always", text(&image), text(&copy)])?,
            Cut::Shutdown => tool("xfs_io", &["-x", "-c", "shutdown", text(&self.at())])?,
        }
        drop(open);
        tool("umount", &[text(&self.at())])?;
        if how == Cut::Copy {
            fs::rename(copy, image)?;
        }
        self.mount()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // One that was never mounted is none to take off.
        let _ = tool("umount", &["--lazy", text(&self.at())]);
    }
}

/// A simulated iCloud, the program's configuration, and the folder on the image.
struct Stage {
    sim: Simulator,
    drive: PathBuf,
    volume: Volume,
}

impl Stage {
    fn new(volume: Volume) -> Outcome<Self> {
        let drive = volume.at().join("drive");
        fs::create_dir(&drive)?;
        let stage = Self { sim: Simulator::start(SimConfig::default())?, drive, volume };
        stage.configure("keep-both")?;
        stage.login()?;
        Ok(stage)
    }

    fn config(&self) -> PathBuf {
        self.volume.temp.path().join("config.toml")
    }

    /// The state lies beside the image: the worst case, in which the base never falls back.
    fn configure(&self, conflict: &str) -> Outcome<()> {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let (name, password) = {
            let state = self.sim.core().state();
            (state.account.name.clone(), state.account.password.clone())
        };
        let state = self.volume.temp.path().join("state");
        let lines = [
            "[account]".to_owned(),
            format!("username = {}", quoted(&name)),
            format!("password = {}", quoted(&password)),
            "[sync]".to_owned(),
            format!("directory = {}", quoted(text(&self.drive))),
            format!("state_directory = {}", quoted(text(&state))),
            format!("conflict = {}", quoted(conflict)),
            "[icloud]".to_owned(),
            format!("home = {}", quoted(&self.sim.home())),
            format!("setup = {}", quoted(&self.sim.setup())),
            format!("auth = {}", quoted(&self.sim.auth())),
        ];
        Ok(fs::write(self.config(), lines.join("\n"))?)
    }

    fn command(&self, arguments: &[&str]) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(AS_PROGRAM).arg("--config").arg(self.config()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ICLOUDDS_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

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
        writeln!(answers, "{}", self.sim.device_code().ok_or("no device shows a code")?)?;
        drop(answers);
        said.read_to_string(&mut heard)?;
        if child.wait()?.success() { Ok(()) } else { Err(format!("icloudds login failed:\n{heard}").into()) }
    }

    fn once(&self) -> Outcome<()> {
        let output = self.command(&["once"])?.output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("icloudds once: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    fn play(&mut self, cut: Cut) -> Outcome<()> {
        for number in 0..FILES {
            fs::write(self.drive.join(name(number)), content(number, 1))?;
        }
        self.once()?;
        // First of all: once many files were edited all former versions go to the trash.
        self.before_anybody_looked(cut)?;
        self.at_rest(cut)?;
        self.in_the_middle(cut)?;
        self.in_the_trash(cut)
    }

    /// All is agreed, and the power goes.
    fn at_rest(&self, cut: Cut) -> Outcome<()> {
        for number in 0..FILES {
            write(&self.drive.join(name(number)), number, &content(number, 2))?;
        }
        fs::write(self.drive.join("new"), "new here")?;
        self.once()?;
        self.volume.cut(cut)?;
        for number in 0..FILES {
            if fs::read(self.drive.join(name(number)))? != content(number, 2) {
                return Err(format!("{} is not what was agreed ({})", name(number), way(number)).into());
            }
        }
        if fs::read(self.drive.join("new"))? != b"new here" {
            return Err("a new file is not what was agreed".into());
        }
        self.once()?;
        for number in 0..FILES {
            self.is_on_icloud(number, 2)?;
        }
        Ok(())
    }

    /// Edits are made whose size the disk may know before their content, and the power goes before the program sees one: what iCloud had is
    /// there, if only in its trash, or the edit is.
    fn before_anybody_looked(&self, cut: Cut) -> Outcome<()> {
        let mut open = Vec::new();
        for number in 0..FEW {
            let path = self.drive.join(name(number));
            let new = path.with_extension("new");
            let is_renamed = number % 4 == 3;
            let file =
                if is_renamed { File::create(&new) } else { OpenOptions::new().write(true).open(&path) };
            let mut file = file?;
            let text = content(number, 6);
            if number % 4 != 0 {
                file.set_len(0)?;
                file.set_len(text.len() as u64)?;
            }
            file.write_all(&text)?;
            if is_renamed {
                fs::rename(new, path)?;
            }
            open.push(file);
        }
        // The journal goes out with what somebody else asks for.
        let mut other = File::create(self.volume.at().join("other"))?;
        other.write_all(b"other").and_then(|()| other.sync_all())?;
        open.push(other);
        self.volume.cut_while_open(cut, open)?;
        self.once()?;
        self.once()?;
        let trashed = self.sim.drive().trash_contents().into_iter().filter_map(|(_, entry)| entry.content);
        let trash: Vec<_> = trashed.map(|content| content.to_vec()).collect::<Result<_, _>>()?;
        for number in 0..FEW {
            let held = self.sim.drive().content(&name(number))?;
            let is_held = [1, 6].iter().any(|version| held == Some(content(number, *version)));
            let former = content(number, 1);
            let is_in_trash = trash.contains(&former);
            if !is_held && !is_in_trash {
                return Err(format!("both versions of {} are gone ({})", name(number), way(number)).into());
            }
        }
        // The next ones are written over what has their length.
        for number in 0..FEW {
            fs::write(self.drive.join(name(number)), content(number, 1))?;
        }
        self.once()
    }

    /// Some versions have come to iCloud when the program and the power go.
    fn in_the_middle(&self, cut: Cut) -> Outcome<()> {
        for number in 0..FILES {
            write(&self.drive.join(name(number)), number, &content(number, 4))?;
        }
        let mut child = self.command(&["once"])?.stderr(Stdio::null()).spawn()?;
        while self.came(4)?.len() < FILES / 3 && child.try_wait()?.is_none() {
            std::thread::yield_now();
        }
        child.kill()?;
        child.wait()?;
        let came = self.came(4)?;
        self.volume.cut(cut)?;
        self.once()?;
        for number in came {
            self.is_on_icloud(number, 4)?;
        }
        Ok(())
    }

    /// What a newer version from elsewhere displaced lies in the trash.
    fn in_the_trash(&self, cut: Cut) -> Outcome<()> {
        self.configure("newest")?;
        self.once()?;
        let path = self.drive.join(name(0));
        write(&path, 0, &content(0, 5))?;
        OpenOptions::new()
            .append(true)
            .open(&path)?
            .set_modified(SystemTime::now() - Duration::from_secs(3600))?;
        self.sim.drive().write(&name(0), "newer, from a phone")?;
        self.once()?;
        self.volume.cut(cut)?;
        if fs::read(&path)? != b"newer, from a phone" {
            return Err("the newer version is not here".into());
        }
        match holds(&self.drive.join(".icloudds/trash"), &content(0, 5))? {
            true => Ok(()),
            false => Err("the older version is not in the trash".into()),
        }
    }

    /// The files of which iCloud has that version.
    fn came(&self, version: usize) -> Outcome<Vec<usize>> {
        let mut came = Vec::new();
        for number in 0..FILES {
            if self.sim.drive().content(&name(number))?.is_some_and(|held| held == content(number, version)) {
                came.push(number);
            }
        }
        Ok(came)
    }

    fn is_on_icloud(&self, number: usize, version: usize) -> Outcome<()> {
        match self.sim.drive().content(&name(number))? == Some(content(number, version)) {
            true => Ok(()),
            false => {
                Err(format!("version {version} of {} is gone from iCloud ({})", name(number), way(number))
                    .into())
            }
        }
    }
}

fn name(number: usize) -> String {
    format!("file {number}")
}

/// Small ones and large ones; of one size in all versions where they are written in place.
fn content(number: usize, version: usize) -> Vec<u8> {
    let grows = if number % 4 == 1 { version } else { 1 };
    let line = format!("version {version} of file {number}\n");
    line.repeat(grows * (1 + number * number * 20)).into_bytes()
}

fn way(number: usize) -> &'static str {
    ["in place", "grown in place", "truncated and written", "a new file renamed over it"][number % 4]
}

/// Writes as the programs do that never sync.
fn write(path: &Path, number: usize, content: &[u8]) -> Outcome<()> {
    match number % 4 {
        0 | 1 => {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.rewind()?;
            file.write_all(content)?;
        }
        2 => fs::write(path, content)?,
        _ => {
            let new = path.with_extension("new");
            fs::write(&new, content)?;
            fs::rename(new, path)?;
        }
    }
    Ok(())
}

/// Whether a file below that folder has that content.
fn holds(folder: &Path, content: &[u8]) -> Outcome<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && holds(&path, content)? || path.is_file() && fs::read(&path)? == content {
            return Ok(true);
        }
    }
    Ok(false)
}
