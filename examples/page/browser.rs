//! A browser, driven as the WebDriver standard says, with `chromedriver`'s way to the developer tools.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long anything may take before it has failed.
const PATIENCE: Duration = Duration::from_secs(40);
const STEP: Duration = Duration::from_millis(50);
/// The member in which the standard puts the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running driver with one window.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
}

impl Browser {
    /// Starts `chromedriver` and a window without a screen.
    pub fn start() -> Outcome<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = BufReader::new(driver.stdout.take().ok_or("no output of chromedriver")?);
        let mut lines = output.lines().map_while(Result::ok);
        let begin = "started successfully on port ";
        let port = lines
            .find_map(|line| Some(line.split(begin).nth(1)?.trim_end_matches('.').to_owned()))
            .ok_or("chromedriver did not start")?;
        // What it says later is of no interest, but must be taken.
        thread::spawn(move || lines.for_each(drop));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .into();
        let mut this = Self { driver, agent, session: format!("http://127.0.0.1:{port}/session") };
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = this.post("", &wanted)?;
        let id = made["sessionId"].as_str().ok_or_else(|| format!("no session: {made}"))?;
        this.session = format!("{}/{id}", this.session);
        Ok(this)
    }

    fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        let url = format!("{}{path}", self.session);
        let mut answer = self.agent.post(&url).content_type("application/json").send(body.to_string())?;
        let text = answer.body_mut().read_to_string()?;
        let mut value: Value = serde_json::from_str(&text)?;
        match answer.status().is_success() {
            true => Ok(value["value"].take()),
            false => Err(format!("{path}: {}", value["value"]["message"]).into()),
        }
    }

    /// Opens an address.
    pub fn open(&self, url: &str) -> Outcome<()> {
        self.post("/url", &json!({"url": url})).map(drop)
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Outcome<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// A call of the developer tools.
    pub fn tools(&self, command: &str, params: &Value) -> Outcome<Value> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": params}))
    }

    /// Waits until a script returns something true.
    pub fn wait(&self, what: &str, script: &str) -> Outcome<()> {
        let begun = Instant::now();
        loop {
            let seen = self.run(script);
            if matches!(seen, Ok(Value::Bool(true))) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let shown = self.run("return document.body.innerText").unwrap_or_default();
                return Err(format!("waited in vain for {what} ({seen:?}); the page shows\n{shown}").into());
            }
            thread::sleep(STEP);
        }
    }

    /// Waits until the element shows a text with these words.
    pub fn wait_text(&self, selector: &str, words: &str) -> Outcome<()> {
        let script = format!(
            "const it = document.querySelector({}); return it !== null && it.checkVisibility() && it.innerText.includes({})",
            json!(selector),
            json!(words)
        );
        self.wait(&format!("{words:?} in {selector}"), &script)
    }

    fn element(&self, selector: &str) -> Outcome<String> {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}))?;
        Ok(found[ELEMENT].as_str().ok_or("no element")?.to_owned())
    }

    /// Clicks as a person does: it must be there, visible, and not covered.
    pub fn click(&self, selector: &str) -> Outcome<()> {
        let element = self.element(selector)?;
        self.post(&format!("/element/{element}/click"), &json!({})).map(drop)
    }

    /// Types into a field that is emptied first.
    pub fn type_into(&self, selector: &str, text: &str) -> Outcome<()> {
        let element = self.element(selector)?;
        self.post(&format!("/element/{element}/clear"), &json!({}))?;
        self.post(&format!("/element/{element}/value"), &json!({"text": text})).map(drop)
    }

    /// Presses keys wherever the focus is.
    pub fn press(&self, keys: &str) -> Outcome<()> {
        let strokes = |key: char| {
            [
                json!({"type": "keyDown", "value": key.to_string()}),
                json!({"type": "keyUp", "value": key.to_string()}),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(strokes).collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}))
            .map(drop)
    }

    /// Shows the page as a device of this size does, light or dark.
    pub fn appear(&self, width: u32, height: u32, mobile: bool, dark: bool) -> Outcome<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.tools("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tools("Emulation.setEmulatedMedia", &media)?;
        Ok(())
    }

    /// Keeps a picture of what is to be seen.
    pub fn picture(&self, path: &Path) -> Outcome<()> {
        let taken =
            self.tools("Page.captureScreenshot", &json!({"format": "png", "optimizeForSpeed": false}))?;
        let data = taken["data"].as_str().ok_or("no picture")?;
        Ok(fs::write(path, BASE64_STANDARD.decode(data)?)?)
    }

    /// What the browser complained of, but for answers that a test wants refused.
    pub fn complaints(&self) -> Outcome<Vec<String>> {
        let log = self.post("/se/log", &json!({"type": "browser"}))?;
        let texts = log.as_array().into_iter().flatten().filter_map(|entry| entry["message"].as_str());
        Ok(texts.filter(|text| !text.contains("Failed to load resource")).map(str::to_owned).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the window too; a driver that is gone took it along.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
