//! The page in a real browser: `cargo run --example page -- BINARY AXE PICTURES`.
//!
//! BINARY is the program, AXE the file of axe-core that judges contrast, labels and names, and PICTURES a folder for pictures of
//! the page. `chromedriver` and its browser must be installed. Nothing leaves this machine: iCloud is the simulated one.

mod browser;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use browser::{Browser, Outcome};
use serde_json::{Value, json};
use world::{TOKEN, World};

/// A name that is harmless only as long as nobody reads it as anything but a name.
const HOSTILE: &str = "<img src=x onerror=window.hacked=1>.txt";
/// One that turns the reading direction.
const TURNED: &str = "invoice\u{202e}fdp.exe";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [binary, axe, pictures] = arguments.as_slice() else {
        eprintln!("usage: page BINARY AXE PICTURES");
        return ExitCode::from(3);
    };
    let world = match World::start(binary) {
        Ok(world) => world,
        Err(error) => {
            eprintln!("page: {error}");
            return ExitCode::FAILURE;
        }
    };
    match show(&world, axe, pictures) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("page: {error}\n--- log\n{}", world.log());
            ExitCode::FAILURE
        }
    }
}

fn show(world: &World, axe: &Path, pictures: &Path) -> Outcome<()> {
    fs::create_dir_all(pictures)?;
    let url = world.told("the web page is at ")?;
    let stage = Stage { browser: Browser::start()?, axe: fs::read_to_string(axe)?, pictures };
    stage.browser.appear(1100, 900, false, false)?;
    sign_in_to_the_page(&stage, &url)?;
    sign_in_to_icloud(&stage, world)?;
    transfer(&stage)?;
    hostile_names(&stage, world)?;
    restore(&stage, world)?;
    by_keyboard(&stage)?;
    held_deletions(&stage, world)?;
    looks(&stage)?;
    one_time_link(&stage, world)?;
    let complaints = stage.browser.complaints()?;
    if !complaints.is_empty() {
        return Err(format!("the browser complains: {complaints:#?}").into());
    }
    println!("the page works");
    Ok(())
}

struct Stage<'a> {
    browser: Browser,
    axe: String,
    pictures: &'a Path,
}

impl Stage<'_> {
    /// Has axe-core judge what is to be seen, and keeps a picture of it.
    fn judge(&self, name: &str) -> Outcome<()> {
        // The folder is another one with each run, and what was said last is of no interest any more.
        self.browser.run(
            "const it = document.getElementById('directory'); if (it !== null) { it.textContent = '/drive'; document.getElementById('said').hidden = true }",
        )?;
        self.browser.picture(&self.pictures.join(format!("{name}.png")))?;
        self.browser.tools("Runtime.evaluate", &json!({"expression": self.axe}))?;
        let call = "axe.run(document, {resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations.map((it) => \
            ({id: it.id, help: it.help, nodes: it.nodes.map((node) => node.html + ' ' + node.failureSummary)}))))";
        let judged = self.browser.tools(
            "Runtime.evaluate",
            &json!({"expression": call, "awaitPromise": true, "returnByValue": true}),
        )?;
        let text =
            judged["result"]["value"].as_str().ok_or_else(|| format!("axe did not judge: {judged}"))?;
        let violations: Vec<Value> = serde_json::from_str(text)?;
        match violations.is_empty() {
            true => {
                println!("  {name}: nothing to criticise");
                Ok(())
            }
            false => Err(format!("{name}: {violations:#?}").into()),
        }
    }
}

fn sign_in_to_the_page(stage: &Stage<'_>, url: &str) -> Outcome<()> {
    println!("a stranger sees a form, and no more");
    let browser = &stage.browser;
    browser.open(url)?;
    browser.wait_text("#title", "Sign in")?;
    stage.judge("sign-in")?;
    browser.type_into("#token", "a-wrong-token-of-someone")?;
    browser.click("button.main")?;
    browser.wait_text("#said", "The token is wrong")?;
    browser.type_into("#token", TOKEN)?;
    browser.click("button.main")?;
    browser.wait_text("#headline", "A code is needed to sign in")
}

fn sign_in_to_icloud(stage: &Stage<'_>, world: &World) -> Outcome<()> {
    println!("from needs-code to up to date");
    let browser = &stage.browser;
    browser.wait_text("#code-ways", "Show a code on my devices")?;
    browser.wait_text("#code-ways", "SMS to")?;
    browser.wait(
        "the field of a one-time code",
        "return document.getElementById('code').autocomplete === 'one-time-code'",
    )?;
    stage.judge("needs-code")?;
    browser.type_into("#code", "abc")?;
    browser.click("#code-form button")?;
    browser.wait_text("#code-said", "6 digits")?;
    browser.type_into("#code", "000000")?;
    browser.click("#code-form button")?;
    browser.wait_text("#code-said", "Wrong code")?;
    browser.wait("the focus on the field", "return document.activeElement.id === 'code'")?;
    let sms = "document.querySelectorAll('#code-ways button')";
    browser.run(&format!("[...{sms}].find((it) => it.textContent.startsWith('SMS to')).click()"))?;
    browser.wait_text("#code-where", "on its way")?;
    let message = world.sim.messages().last().cloned().ok_or("no message was sent")?;
    browser.type_into("#code", &message.code)?;
    browser.click("#code-form button")?;
    browser.wait("the code's card to go", "return document.getElementById('code-card').hidden")
}

fn transfer(stage: &Stage<'_>) -> Outcome<()> {
    println!("a transfer as it happens");
    let browser = &stage.browser;
    browser.wait_text("#headline", "Syncing")?;
    browser.wait_text("#figures", "MB/s")?;
    browser.wait("some of it", "return document.getElementById('bar').value >= 20")?;
    browser.wait_text("#figures", "left")?;
    browser.appear(390, 844, true, false)?;
    stage.judge("syncing-phone-light")?;
    browser.appear(1100, 900, false, false)?;
    browser.wait_text("#headline", "Up to date")?;
    browser.wait_text("#detail", "files, checked")?;
    // How old the session is, and when the trust that it stands on ends.
    browser.wait_text("#facts", "signed in")?;
    browser.wait_text("#facts", "trusted until")
}

fn hostile_names(stage: &Stage<'_>, world: &World) -> Outcome<()> {
    println!("hostile names are names");
    let browser = &stage.browser;
    world.sim.drive().write(HOSTILE, "x")?;
    world.sim.drive().write(TURNED, "x")?;
    browser.wait_text("#activity", HOSTILE)?;
    browser.wait_text("#activity", "invoice\\u{202e}fdp.exe")?;
    browser.wait(
        "no script",
        "return window.hacked === undefined && document.querySelector('#activity img') === null",
    )
}

fn restore(stage: &Stage<'_>, world: &World) -> Outcome<()> {
    println!("back from the trash");
    let browser = &stage.browser;
    world.sim.drive().trash(HOSTILE)?;
    browser.wait_text("#activity", "deleted here")?;
    browser.click("#trash-card summary")?;
    browser.wait_text("#trash", HOSTILE)?;
    browser.click("#trash button")?;
    browser.wait_text("#said", "Restored as")?;
    if !world.drive.join(HOSTILE).exists() {
        return Err("it is not back".into());
    }
    browser.wait_text("#activity", &format!("uploaded {HOSTILE}"))?;
    browser.click("#trash-card summary")
}

fn by_keyboard(stage: &Stage<'_>) -> Outcome<()> {
    println!("by keyboard alone");
    let browser = &stage.browser;
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")?;
    // Tab, until the button is reached; then the space bar.
    for _ in 0..10 {
        browser.press("\u{e004}")?;
        if browser.run("return document.activeElement.id")? == "pause" {
            break;
        }
    }
    browser.press(" ")?;
    browser.wait_text("#headline", "Paused")?;
    browser.wait_text("#pause", "Resume")?;
    browser.press(" ")?;
    browser.wait_text("#headline", "Up to date")
}

fn held_deletions(stage: &Stage<'_>, world: &World) -> Outcome<()> {
    println!("held deletions are shown and decided");
    let browser = &stage.browser;
    let folder = world.drive.join("Old");
    for number in 0..4 {
        world.sim.drive().write(&format!("Old/letter {number}.txt"), "x")?;
    }
    browser.wait_text("#activity", "Old/letter 3.txt")?;
    browser.wait_text("#headline", "Up to date")?;
    for number in 0..4 {
        fs::remove_file(folder.join(format!("letter {number}.txt")))?;
    }
    browser.wait_text("#headline", "deletions wait for you")?;
    browser.wait_text("#held", "Old/letter 0.txt")?;
    browser.run("window.scrollTo(0, 0)")?;
    stage.judge("held-desktop-light")?;
    browser.click("#approve")?;
    browser.wait_text("#sure-title", "Delete 4 items?")?;
    stage.judge("sure")?;
    browser.click("#sure-no")?;
    browser.wait_text("#headline", "deletions wait for you")?;
    browser.appear(390, 844, true, false)?;
    stage.judge("held-phone-light")?;
    browser.appear(390, 844, true, true)?;
    stage.judge("held-phone-dark")?;
    browser.appear(1100, 900, false, false)?;
    browser.click("#approve")?;
    browser.wait_text("#sure-title", "Delete 4 items?")?;
    browser.click("#sure-yes")?;
    browser.wait_text("#headline", "Up to date")?;
    let left = world.sim.drive().tree().keys().filter(|path| path.starts_with("Old/letter")).count();
    match left {
        0 => Ok(()),
        more => Err(format!("{more} were not deleted").into()),
    }
}

fn looks(stage: &Stage<'_>) -> Outcome<()> {
    println!("phone and desktop, light and dark");
    let browser = &stage.browser;
    browser.run("window.scrollTo(0, 0)")?;
    for (name, width, height, mobile, dark) in [
        ("phone-light", 390, 844, true, false),
        ("phone-dark", 390, 844, true, true),
        ("small-phone", 320, 568, true, false),
        ("desktop-light", 1100, 900, false, false),
        ("desktop-dark", 1100, 900, false, true),
    ] {
        browser.appear(width, height, mobile, dark)?;
        browser.wait(
            "no text beyond the edge",
            "return document.documentElement.scrollWidth <= window.innerWidth",
        )?;
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor")?;
        let expected = if dark { "rgb(18, 21, 26)" } else { "rgb(243, 244, 247)" };
        if ground != expected {
            return Err(format!("{name}: the ground is {ground}").into());
        }
        stage.judge(name)?;
    }
    Ok(())
}

fn one_time_link(stage: &Stage<'_>, world: &World) -> Outcome<()> {
    println!("signing out, and in by the link in the log");
    let browser = &stage.browser;
    browser.appear(1100, 900, false, false)?;
    browser.click("#sign-out")?;
    browser.wait_text("#title", "Sign in")?;
    let link = world.told("within an hour: ")?;
    browser.open(&link)?;
    browser.wait_text("#headline", "Up to date")?;
    browser.wait("the link to be gone", "return location.hash === ''")?;
    browser.tools("Network.clearBrowserCookies", &json!({}))?;
    browser.open("about:blank")?;
    browser.open(&link)?;
    browser.wait_text("#said", "used already")
}
