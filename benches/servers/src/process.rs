//! How does another program run on a core of its own, and end with this one?

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio::process::Child;

/// The core of the server that is measured.
pub const SERVER_CORE: &str = "0";

/// The core of the load, of the issuer, and of this program.
pub const LOAD_CORE: &str = "1";

/// A running server. Dropping it kills it, and whatever it has started.
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a server on its core. What it prints goes to `log`.
    pub fn start(command: &Command, log: PathBuf) -> io::Result<Self> {
        let mut command = pinned(command, SERVER_CORE);
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).process_group(0);
        let child = command.spawn()?;
        let group = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        Ok(Self { child, group, log })
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last of what it printed.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines.split_at(lines.len().saturating_sub(LAST_LINES)).1.join("\n")
    }

    /// The processor time that all its threads have used, in seconds.
    pub fn busy(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.group)).ok()?;
        // The name in parentheses may hold anything; `utime` and `stime` are the 14th and 15th field.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Not the child alone: a server may have children of its own.
        let _gone = Command::new("sh").args(["-c", "kill -s KILL -- -$0", &self.group.to_string()]).status();
        // Until it is gone, its core is not free.
        for _ in 0..500 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The same command, on this core.
pub fn pinned(command: &Command, core: &str) -> tokio::process::Command {
    let mut pinned = tokio::process::Command::new("taskset");
    pinned.args(["-c", core]).arg(command.get_program()).args(command.get_args()).kill_on_drop(true);
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// Moves this program, and what it starts from now on, to the core of the load.
pub fn move_to_load_core() -> Result<(), String> {
    let moved = Command::new("taskset")
        .args(["-cp", LOAD_CORE, &std::process::id().to_string()])
        .output()
        .map_err(|error| format!("taskset: {error}; apt-get install util-linux"))?;
    if moved.status.success() {
        return Ok(());
    }
    Err("it takes two cores: one for the server, one for the load".to_owned())
}

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("bearergate-servers-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// Of Linux, in what it tells to programs.
const TICKS_PER_SECOND: f64 = 100.0;

const LAST_LINES: usize = 8;
