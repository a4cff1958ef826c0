//! The recording of a terminal in the README: `docs/images/terminal.svg` shows what the program says, or this fails.

use std::sync::{Arc, PoisonError};

use regex::Regex;

use super::screen::Screen;
use super::terminal::Terminal;
use crate::e2e::rig::Rig;
use crate::golden::assert_same;
use crate::run::daemon::wait_for;

/// The commands that a reader types, as the README has them.
const COMMANDS: [&str; 4] = ["login", "plan", "once", "status"];

/// How wide the picture is.
const COLUMNS: usize = 100;
/// How wide the terminal is: so much that no length of a temporary path shows in the picture.
const TERMINAL: usize = 200;

/// What differs with each run, and what stands for it in the picture.
fn told_alike(text: &str, rig: &Rig, code: &str) -> String {
    let folder = rig.drive();
    let config = folder.with_file_name("config.toml");
    let mut text = text
        .replace(&config.display().to_string(), "/etc/icloudds/config.toml")
        .replace(&folder.display().to_string(), "/home/you/iCloud")
        .replace(code, "814203");
    for (pattern, instead) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?", "2026-03-01 10:00:12"),
        (r"trusted until [^(]*\([^)]*\)", "trusted until 2026-03-31 10:00:12 (in 30 days)"),
        (r"\((now|\d+ s ago)\)", "(2 s ago)"),
        (r"told last, (now|\d+ s ago)", "told last, 2 s ago"),
        (r"seconds=\d+\.\d+", "seconds=0.481"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, instead).into_owned();
    }
    text
}

#[test]
fn the_picture_of_a_terminal_in_the_readme_is_what_it_shows() {
    let mut rig = Rig::new();
    // With one worker the order is the plan's.
    rig.unset("account.password").set("sync.max_workers", "1");
    let there = rig.there();
    for (path, size) in
        [("Documents/Contract.pdf", 48_213), ("Documents/Notes.txt", 1_204), ("Photos/Boat.jpg", 2_310_456)]
    {
        there.write(path, crate::e2e::rig::noise(1, size)).expect("a file");
    }
    std::fs::create_dir(rig.at("Recipes")).expect("a folder");
    std::fs::write(rig.at("Recipes/Bread.txt"), "flour, water, salt\n").expect("a file");
    let password = rig.sim.core().state().account.password.clone();
    let typed: Vec<String> =
        COMMANDS.iter().map(|it| format!("printf '$ icloudds {it}\\n'; $P {it}; echo")).collect();
    let mut terminal =
        Terminal::run(&rig, &format!("stty cols {TERMINAL} rows 60; {}; echo done", typed.join("; ")));
    terminal.wait("assword:");
    terminal.type_keys(&format!("{password}\n"));
    terminal.wait("Code");
    terminal.type_keys("\n");
    let screen = Arc::clone(&terminal.shown);
    let shown = move || screen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let code = wait_for("a code", &shown, || rig.sim.device_code());
    wait_for("the question for it", &shown, || (shown().matches("Code").count() >= 2).then_some(()));
    terminal.type_keys(&format!("{code}\n"));
    terminal.wait("done");
    let written = terminal.end();
    let shown = told_alike(&written, &rig, &code);
    let mut screen = Screen::after(shown.trim_end().trim_end_matches("done"), TERMINAL);
    // What changes iCloud and what is transferred goes on side by side.
    let done = ["INFO made folder", "INFO downloaded", "INFO uploaded"];
    screen.sort_lines(|line| done.iter().position(|word| line.contains(word)));
    let text = screen.text();
    assert!(!text.contains(&password) && !text.contains("/tmp"), "{text}");
    let title = "icloudds login, plan, once and status at a terminal";
    assert_same("docs/images/terminal.svg", &screen.picture(COLUMNS, title));
}
