//! What the clouds that are emulated on this machine have in common (`tests/python/local_cloud.py`), and where names lead in tests.

use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use outbound::{Lookup, Network};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use vault::custody::{AssertionError, Assertions};
use zeroize::Zeroizing;

use crate::python::root;

/// It lives as long as this, and forgets everything then.
pub(crate) struct Emulation {
    process: Child,
    port: u16,
    control: u16,
    root: String,
    /// The hosts that were looked up.
    pub(crate) looked_up: Arc<Mutex<Vec<String>>>,
}

impl Emulation {
    /// Starts a script of `tests/python`.
    pub(crate) fn start(script: &str) -> Self {
        let python = root().join("target/tools/venv/bin/python");
        assert!(python.exists(), "the tests' Python packages are missing; `cargo xtask test` sets them up");
        let script = root().join("tests/python").join(script);
        let mut process = Command::new(python).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // It listens before it says where.
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("an emulated cloud says where it listens");
        let port = |name: &str| u16::try_from(told[name].as_u64().unwrap()).unwrap();
        Self {
            process,
            port: port("port"),
            control: port("control"),
            root: told["root"].as_str().unwrap().to_owned(),
            looked_up: Arc::default(),
        }
    }

    /// The network on which the cloud's names lead here.
    pub(crate) fn network(&self) -> Network {
        let lookup = Here { port: self.port, looked_up: self.looked_up.clone() };
        self.network_by(Arc::new(lookup))
    }

    /// The same names by another lookup.
    pub(crate) fn network_by(&self, lookup: Arc<dyn Lookup>) -> Network {
        Network::of(lookup, vec![self.root.clone().into_bytes()])
    }

    pub(crate) fn faults(&self, faults: &Value) {
        self.control(&json!({"faults": faults}));
    }

    pub(crate) fn control(&self, change: &Value) {
        ureq::post(self.control_url()).send_json(change).unwrap();
    }

    pub(crate) fn state(&self) -> Value {
        ureq::get(self.control_url()).call().unwrap().body_mut().read_json().unwrap()
    }

    /// The calls that came, by their names.
    pub(crate) fn calls(&self) -> Vec<String> {
        let state = self.state();
        let calls = state["calls"].as_array().unwrap().iter();
        calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}/control", self.control)
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whatever is looked up is here.
struct Here {
    port: u16,
    looked_up: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Lookup for Here {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        self.looked_up.lock().unwrap().push(host.to_owned());
        Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))])
    }

    fn may_connect(&self, address: &SocketAddr) -> bool {
        address.port() == self.port
    }
}

/// A socket in the deployment's own network, to which nothing may ever come.
pub(crate) struct Inside(TcpListener);

impl Inside {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn assert_untouched(&self) {
        let came = self.0.accept();
        assert_eq!(came.unwrap_err().kind(), io::ErrorKind::WouldBlock, "somebody came");
    }
}

/// Looks names up as it is told to, and notes which; what may be connected to is the product's own choice.
pub(crate) struct Leads {
    to: Vec<SocketAddr>,
    asked: Mutex<Vec<String>>,
}

impl Leads {
    pub(crate) fn to(to: Vec<SocketAddr>) -> Arc<Self> {
        Arc::new(Self { to, asked: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Lookup for Leads {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        Ok(self.to.clone())
    }
}

/// Assertions as the emulations read them: their audience is looked at, their signature is not.
pub(crate) struct TestAssertions;

#[async_trait]
impl Assertions for TestAssertions {
    async fn assertion(&self, audience: &str) -> Result<Zeroizing<String>, AssertionError> {
        let claims = URL_SAFE_NO_PAD.encode(json!({"aud": audience, "sub": "the deployment"}).to_string());
        Ok(Zeroizing::new(format!("{}.{claims}.signature", URL_SAFE_NO_PAD.encode("{}"))))
    }
}

/// All that this thread says at the most talkative setting, for as long as somebody listens.
pub(crate) struct Log {
    said: Said,
    listening: DefaultGuard,
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn listen() -> Self {
        let said = Said::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(said.clone())
            .finish();
        Self { said, listening: tracing::subscriber::set_default(subscriber) }
    }

    pub(crate) fn told(self) -> String {
        drop(self.listening);
        String::from_utf8(self.said.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Said {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// That nothing of these is in a line of the log or in an answer.
pub(crate) fn assert_hidden<'a>(hidden: impl Iterator<Item = &'a str>, log: &str, answers: &[String]) {
    let mut looked_for = 0;
    for hidden in hidden {
        for (at, answer) in answers.iter().enumerate() {
            assert!(!answer.contains(hidden), "answer {at} has it");
        }
        let line = log.lines().find(|line| line.contains(hidden));
        let shown = line.map(|line| line.replace(hidden, "HIDDEN").chars().take(300).collect::<String>());
        assert_eq!(shown, None);
        looked_for += 1;
    }
    assert!(looked_for > 0 && !log.is_empty() && !answers.is_empty());
}
