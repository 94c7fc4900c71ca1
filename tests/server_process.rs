//! The real `postq-vault` as a process of its own, and calls to it.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::{Value, json};
use ureq::{Agent, http::Response};

use crate::local_cloud::LocalCloud;

/// A binary that the build puts beside this test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join(name);
    assert!(
        path.exists(),
        "`{}` is not built; run `cargo xtask test`, or first `cargo build -p server -p functions -p cli --bins`",
        path.display()
    );
    path
}

/// A server on a port of its own, killed when dropped; or a deployment, where `cargo xtask` has put one.
pub(crate) struct Server {
    process: Option<Process>,
    pub(crate) address: String,
    /// The first token, where this start made one.
    pub(crate) token: String,
    pub(crate) stdout: String,
    agent: Agent,
}

struct Process {
    child: Child,
    log: Option<JoinHandle<String>>,
    /// Kept open, as a terminal is.
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts over a data directory with nothing but these variables.
    pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Self {
        if let Some(cloud) = LocalCloud::named() {
            assert!(variables.is_empty(), "a deployment is not started with {variables:?}");
            let (_, token) = cloud.organisation("My organisation");
            let address = cloud.address;
            return Self { process: None, address, token, stdout: String::new(), agent: agent() };
        }
        let mut command = serve(data, variables);
        let mut child = command.spawn().unwrap();
        let mut log = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            process: Some(Process { child, log: Some(log), output }),
            address: String::new(),
            token: String::new(),
            stdout: String::new(),
            agent: agent(),
        };
        // It listens before it prints, so that the first call finds it.
        while server.token.is_empty() {
            let mut line = String::new();
            if server.process.as_mut().unwrap().output.read_line(&mut line).unwrap() == 0 {
                panic!("the server ended: {}", server.stop().1);
            }
            if let Some(address) = line.strip_prefix("address") {
                server.address = address.trim().to_owned();
            }
            if let Some(token) = line.strip_prefix("token") {
                server.token = token.trim().to_owned();
            }
            server.stdout.push_str(&line);
        }
        server
    }

    /// Calls with the first token. A body makes it a POST.
    pub(crate) fn call(&self, path: &str, body: Option<&Value>) -> Answer {
        self.call_as(&self.token, path, body)
    }

    pub(crate) fn call_as(&self, token: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.address);
        let bearer = format!("Bearer {token}");
        let response = match body {
            Some(body) => self.agent.post(&url).header("Authorization", &bearer).send_json(body),
            None => self.agent.get(&url).header("Authorization", &bearer).call(),
        };
        Answer::read(response.unwrap())
    }

    pub(crate) fn create_key(&self, algorithm: &str) -> Value {
        let answer = self.call("/v1/hybrid-keys", Some(&json!({"name": "test key", "algorithm": algorithm})));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["data"].clone()
    }

    /// Asks it to stop, and gives its exit code and its log.
    pub(crate) fn stop(&mut self) -> (Option<i32>, String) {
        let process = self.process.as_mut().expect("a deployment is not stopped by a test");
        let pid = process.child.id().to_string();
        // The shell's own `kill`, which every machine has.
        Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap();
        let code = process.child.wait().unwrap().code();
        (code, process.log.take().map(|log| log.join().unwrap()).unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `serve` that is expected to refuse: its exit code and its log.
pub(crate) fn refused_start(data: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = serve(data, variables).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Another command of `postq-vault`: its exit code, standard output and log.
pub(crate) fn run(args: &[&str], data: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = command(variables).args(args).arg("--data").arg(data).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary("postq-vault"));
    command.env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

fn serve(data: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = command(variables);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; null where it is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn read(response: Response<ureq::Body>) -> Self {
        Self::try_read(response).unwrap()
    }

    /// The same from a server that may be killed while it answers.
    pub(crate) fn try_read(mut response: Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// An agent that hands every status to the test.
pub(crate) fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}
