//! Examples that are run as programs.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "helpers of tests, of which each binary uses some, and the times of files"
)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::SystemTime,
};

use serde_json::Value;

/// What the tool did.
pub struct Ended {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// One object a line.
    pub fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub fn explain(arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(example("explain"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that ends early reads nothing.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An example that runs until it is stopped, and no longer than this value lives.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_with(name, arguments, &[])
    }

    /// With these environment variables.
    pub fn start_with(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(name)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// What it prints until a line with this text. An end before it is a failure.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> Vec<String> {
        let mut read = Vec::new();
        while !read.last().is_some_and(|line: &String| line.contains(text)) {
            match self.line() {
                Some(line) => read.push(line),
                None => panic!("no line with {text:?} in {read:#?}"),
            }
        }
        read
    }

    /// What it prints until it ends by itself.
    pub fn end(mut self) -> Ended {
        let out = self.lines.by_ref().map(|line| line.unwrap() + "\n").collect();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ended { status: self.child.wait().unwrap().code(), out, err }
    }

    /// Sends what a terminal sends for Ctrl-C. Gives what it prints from then on, and its end.
    pub fn interrupt(self) -> Ended {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// To run an example, whatever the environment of this test says.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(example(name));
    for name in ["ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "RESOURCE", "AUDIENCE", "SCOPE"] {
        command.env_remove(format!("OAUTH2_{name}"));
    }
    for name in ["NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

/// An example, beside this test. A run of this test alone builds no example: then it is built here.
pub fn example(name: &str) -> PathBuf {
    let this = env::current_exe().unwrap();
    let profile = this.parent().unwrap().parent().unwrap();
    let tool = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let built = fs::metadata(&tool).and_then(|metadata| metadata.modified());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if built.is_ok_and(|built| newest(&root.join("src")).max(newest(&root.join("examples"))) <= built) {
        return tool;
    }
    let profile_name = profile.file_name().unwrap().to_str().unwrap();
    let built = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "--example", name])
        .args(["--profile", if profile_name == "debug" { "dev" } else { profile_name }])
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .status();
    assert!(built.unwrap().success(), "the example builds");
    tool
}

/// When the youngest file below a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { newest(&path) } else { path.metadata().unwrap().modified().unwrap() })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A file with this text.
pub fn file(text: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    // The name of the test: each may run in a process of its own.
    let name = format!("explain-{}-{number}", thread::current().name().unwrap_or_default());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
