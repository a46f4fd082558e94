//! The pages do not rot: every `sh` block of `docs/` and of the README is run as written, in a shell of its page, against a
//! Carillon of its own, and gives what the `json` or `text` block below it says. `…` stands for anything. A `bash` block is
//! for people alone.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use carillon_testkit::port::free_port;
use carillon_testkit::process::{Carillon, Launch};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
const END: &str = "--end of block--";
/// What is still on its way, such as a line of the log, may take so long.
const PATIENCE: Duration = Duration::from_secs(5);

macro_rules! pages {
    ($($test:ident: $page:literal),+ $(,)?) => {
        $(#[test] fn $test() { run($page); })+

        #[test]
        fn every_page_with_commands_is_run() {
            let run = BTreeSet::from([$($page.to_owned()),+]);
            let mut pages = pages_with_commands();
            pages.insert("../README.md".to_owned());
            assert_eq!(pages, run);
        }
    };
}

pages! {
    batch: "batch.md",
    cli: "cli.md",
    dead_letters: "dead-letters.md",
    health: "health.md",
    idempotency: "idempotency.md",
    logs: "logs.md",
    ordering: "ordering.md",
    readme: "../README.md",
    sandbox: "providers/sandbox.md",
    scheduling: "scheduling.md",
    tenants: "tenants.md",
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn pages_with_commands() -> BTreeSet<String> {
    let docs = docs();
    let folders = [docs.clone(), docs.join("providers")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
        .filter(|file| fs::read_to_string(file).unwrap().contains("```sh\n"))
        .map(|file| file.strip_prefix(&docs).unwrap().to_str().unwrap().to_owned())
        .collect()
}

struct Block {
    kind: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let parts: Vec<_> = page.split("```").collect();
    assert_eq!(parts.len() % 2, 1, "a block is not closed");
    let fenced = parts.iter().skip(1).step_by(2).map(|part| part.split_once('\n').unwrap());
    fenced.map(|(kind, text)| Block { kind: kind.to_owned(), text: text.to_owned() }).collect()
}

fn run(page: &str) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let launch = Launch::new(BINARY, &folder.path().join("data"), port).env("CARILLON_LOG", "debug");
    let mut house = House { carillon: launch.start(), folder, port };
    let mut shell = house.shell();
    let blocks = blocks(&fs::read_to_string(docs().join(page)).unwrap());
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.kind == "sh") {
        let expected = blocks.get(index + 1).filter(|next| matches!(next.kind.as_str(), "json" | "text"));
        let until = Instant::now() + PATIENCE;
        loop {
            house.write_log();
            let (said, code) = shell.run(&block.text.replace("http://localhost:3000", &house.carillon.url("")));
            let said = said.replace(&house.carillon.url(""), "http://localhost:3000");
            let right = code == 0 && expected.is_none_or(|expected| fits(expected, &said));
            // Only reading may be done again.
            if right || !block.text.starts_with("grep") || Instant::now() > until {
                let wanted = expected.map_or("", |expected| &expected.text);
                assert!(right, "{page}:\n{}\ngave {code}:\n{said}\nand not:\n{wanted}", block.text);
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

struct House {
    carillon: Carillon,
    folder: tempfile::TempDir,
    port: u16,
}

impl House {
    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn write_log(&mut self) {
        let log = self.carillon.output().to_owned();
        fs::write(self.log(), log).unwrap();
    }

    fn shell(&self) -> Shell {
        let place = Path::new(BINARY).parent().unwrap();
        let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
        // The examples that the README names.
        let examples = self.folder.path().join("examples");
        std::os::unix::fs::symlink(docs().join("../examples"), examples).unwrap();
        let mut child = Command::new("sh")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("PORT", self.port.to_string())
            .env("CARILLON_DATA_DIR", self.folder.path().join("data"))
            .env("CARILLON_URL", self.carillon.url(""))
            .env("CARILLON_API_KEY", self.carillon.key())
            .env("LOG_FILE", self.log())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (write, read) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Shell { child, write, read }
    }
}

/// One shell per page: what a block sets, the next can use.
struct Shell {
    child: Child,
    write: ChildStdin,
    read: BufReader<ChildStdout>,
}

impl Shell {
    /// What the block printed, and its exit code.
    fn run(&mut self, block: &str) -> (String, i32) {
        writeln!(self.write, "{block}\ncode=$?; printf '\\n%s %s\\n' '{END}' $code").unwrap();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(self.read.read_line(&mut line).unwrap() > 0, "the shell has ended after:\n{said}");
            if let Some(code) = line.strip_prefix(END) {
                return (said.trim_end().to_owned(), code.trim().parse().unwrap());
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fits(expected: &Block, said: &str) -> bool {
    if expected.kind == "json" {
        let expected: Value = serde_json::from_str(&expected.text).unwrap();
        return serde_json::from_str(said).is_ok_and(|said: Value| holds(&said, &expected));
    }
    let expected: Vec<_> = expected.text.lines().collect();
    let said: Vec<_> = said.lines().map(str::trim_end).collect();
    expected.len() == said.len() && expected.iter().zip(said).all(|(expected, said)| reads(said, expected))
}

/// Everything that is expected is there; more may be.
fn holds(said: &Value, expected: &Value) -> bool {
    match (said, expected) {
        (said, Value::String(any)) if any == "…" => !said.is_null(),
        (Value::Object(said), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| said.get(name).is_some_and(|said| holds(said, value)))
        }
        (Value::Array(said), Value::Array(expected)) => {
            said.len() == expected.len() && said.iter().zip(expected).all(|(said, expected)| holds(said, expected))
        }
        (said, expected) => said == expected,
    }
}

/// The parts between the dots are there in this order.
fn reads(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || expected.ends_with('…')
}

#[test]
fn the_promises_name_tests_that_exist() {
    let page = fs::read_to_string(docs().join("architecture.md")).unwrap();
    let (_, promises) = page.split_once("## Promises").unwrap();
    let rows = promises.lines().filter(|line| line.starts_with("| ")).skip(1).filter_map(|row| row.split(" | ").nth(2));
    let named: Vec<_> =
        rows.flat_map(|shown| shown.split('`').skip(1).step_by(2)).filter(|name| !name.starts_with('…')).collect();
    assert!(named.len() > 20, "{named:?}");
    let mut code = String::new();
    let mut folders = vec![docs().join("../crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|kind| kind == "rs") {
                code.push_str(&fs::read_to_string(entry).unwrap());
            }
        }
    }
    let missing: Vec<_> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}

#[test]
fn the_judge_can_say_no() {
    let holds = |said: &str, expected: &str| {
        holds(&serde_json::from_str(said).unwrap(), &serde_json::from_str(expected).unwrap())
    };
    assert!(holds(r#"{"a":[{"b":1,"c":2}]}"#, r#"{"a":[{"b":"…"}]}"#));
    assert!(!holds(r#"{"a":[{"b":null}]}"#, r#"{"a":[{"b":"…"}]}"#));
    assert!(!holds(r#"{"a":[1,2]}"#, r#"{"a":[1]}"#) && !holds(r#"{"a":1}"#, r#"{"b":1}"#));
    assert!(reads("error: no        [forbidden]", "error: …[forbidden]") && reads("ok  x", "ok  …"));
    assert!(!reads("error: no [not_found]", "error: …[forbidden]") && !reads("ok  x y", "ok  x"));
}
