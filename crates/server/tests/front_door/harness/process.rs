//! The binary as a process of its own: for signals, exit codes, the command line, and kill -9.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::caller::Caller;
use super::eventually;
use super::server::Flags;

/// A command line that is about to be run.
pub(crate) struct Program {
    command: Command,
    input: Option<String>,
}

/// What a program that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A program that runs. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
}

impl Program {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::of(PathBuf::from(env!("CARGO_BIN_EXE_wechat-proxy")), arguments)
    }

    pub(crate) fn of(program: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WECHAT_PROXY_")) {
            command.env_remove(name);
        }
        command.env_remove("RUST_LOG").env("LC_ALL", "C.UTF-8");
        Self { command, input: None }
    }

    pub(crate) fn flags(mut self, flags: &Flags) -> Self {
        self.command.args(&flags.0);
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// As another user, which only root can do.
    pub(crate) fn by_user(mut self, id: u32) -> Self {
        self.command.uid(id).gid(id);
        self
    }

    pub(crate) fn start(mut self) -> Process {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        self.command.stdout(file("out")).stderr(file("err")).stdin(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.input.unwrap_or_default().as_bytes()).unwrap();
        Process { child, folder }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended().await
    }
}

impl Process {
    /// What it wrote to standard output so far.
    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    /// What it wrote to standard error so far: its log.
    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("err")).unwrap()
    }

    /// Waits until it says where it listens, and gives somebody who calls there.
    pub(crate) async fn caller(&mut self) -> Caller {
        Caller::of(&self.url().await)
    }

    /// Waits until it says this on standard output.
    pub(crate) async fn says(&mut self, text: &str) {
        eventually(text, async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended, {status}, before it said {text:?}: {}{}", self.out(), self.err());
            }
            self.out().contains(text)
        })
        .await;
    }

    pub(crate) async fn url(&mut self) -> String {
        self.says("wechat-proxy listens on ").await;
        let out = self.out();
        let (_, rest) = out.split_once("wechat-proxy listens on ").unwrap();
        rest.split_whitespace().next().unwrap().replace("0.0.0.0", "127.0.0.1")
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `TERM`, `INT`, `KILL`, …
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// kill -9, and it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal("KILL");
        eventually("it is dead", async || self.child.try_wait().unwrap().is_some()).await;
    }

    pub(crate) async fn ended(mut self) -> Ended {
        eventually("the program ends", async || self.child.try_wait().unwrap().is_some()).await;
        let status = self.child.wait().unwrap();
        Ended { code: status.code(), signal: status.signal(), out: self.out(), err: self.err() }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node of the product as a process.
pub(crate) fn serve(flags: &Flags) -> Program {
    Program::new(&["serve"]).flags(flags)
}
