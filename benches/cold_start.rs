//! Cold starts: from the start of a process to its first poll of the Lambda Runtime API, from there to the answer to its first
//! request, and the memory that it had by then. `sign` as packaged, the least that a Lambda in Rust is, and an outline of `sign` in Node,
//! by turns. Then `sign` with as much of a processor as Lambda gives to a size of memory, with DynamoDB at hand and farther away.
//! `cargo xtask bench-cold-start`, on Linux; the second part as root.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program that prints figures")]
#![expect(dead_code, clippy::expect_used, clippy::indexing_slicing, reason = "what the tests are made of")]

#[path = "../tests/in_process.rs"]
mod in_process;
#[path = "../tests/lambda_process.rs"]
mod lambda_process;
#[path = "../tests/local_cloud.rs"]
mod local_cloud;
#[path = "../tests/local_dynamodb.rs"]
mod local_dynamodb;
#[path = "../tests/local_kms.rs"]
mod local_kms;
#[path = "../tests/python.rs"]
mod python;
#[path = "../tests/rounds.rs"]
mod rounds;
#[path = "../tests/server_process.rs"]
mod server_process;

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    in_process::Vault,
    lambda_process::{Lambda, event},
    python::root,
};

const STARTS: usize = 20;

/// One start.
struct Start {
    poll: Duration,
    request: Duration,
    /// Resident at most, in KiB.
    memory: u64,
}

#[tokio::main]
async fn main() {
    let vault = Vault::in_dynamodb().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let request = json!({"keyId": key, "payload": "aGVsbG8="});
    let lambdas =
        PathBuf::from(std::env::var_os("POSTQ_BENCH_LAMBDAS").expect("run `cargo xtask bench-cold-start`"));
    let built = |name: &str| Command::new(lambdas.join(name).join("bootstrap"));
    let node = || {
        let mut node = Command::new(program_on_path("node"));
        node.arg(root().join("target/bench-lambda.cjs"));
        node
    };
    let kinds: [(&str, &dyn Fn() -> Command); 3] = [
        ("`sign`", &|| built("sign")),
        ("the least in Rust", &|| built("minimal")),
        ("an outline of `sign` in Node", &node),
    ];
    let mut starts: [Vec<Start>; 3] = Default::default();
    for _ in 0..STARTS {
        for ((_, program), starts) in kinds.iter().zip(&mut starts) {
            starts.push(start(program(), &vault, &request).await);
        }
    }
    println!(
        "\n| | first poll, ms: median, most | first answer after that, ms: median | resident at most, MiB |"
    );
    println!("|---|---|---|---|");
    for ((name, _), starts) in kinds.iter().zip(&starts) {
        let polls = sorted(starts, |start| start.poll);
        let requests = sorted(starts, |start| start.request);
        let memory = starts.iter().map(|start| start.memory).max().unwrap();
        println!(
            "| {name} | {:.1}, {:.1} | {:.1} | {:.1} |",
            millis(polls[STARTS / 2]),
            millis(polls[STARTS - 1]),
            millis(requests[STARTS / 2]),
            f64::from(u32::try_from(memory).unwrap()) / 1024.0
        );
    }
    sizes(&vault, &request, &|| built("sign")).await;
}

/// `sign` at a processor's share of each size, with DynamoDB at hand and with a way to it: in each of `TURNS`, a process of each size, its
/// first request and `WARM` more. What a call costs is its time, in whole milliseconds, times its memory.
async fn sizes(vault: &Vault, request: &Value, program: &dyn Fn() -> Command) {
    let mut sizes = [128, 256, 512, 768, 1024, 1769].map(|size| (size, Asked::default(), Asked::default()));
    let variables = vault.variables();
    let far = far(&variables).await;
    for _ in 0..TURNS {
        for (size, at_hand, away) in &mut sizes {
            at_hand.ask(*size, vault, request, program(), &variables).await;
            away.ask(*size, vault, request, program(), &far).await;
        }
    }
    println!(
        "\n| MiB | of a processor | first answer, ms: median | answer, ms: median, 99th of 100 | GB-seconds a million | {:.1} ms more a call: first answer | answer | GB-seconds |\n|---:|---:|---:|---:|---:|---:|---:|---:|",
        millis(there_and_back(&far).await) - millis(there_and_back(&variables).await)
    );
    for (size, at_hand, away) in sizes {
        let share = f64::from(size) / f64::from(FULL);
        println!("| {size} | {share:.2} | {} | {} |", at_hand.row(size), away.row(size));
    }
}

/// How long the answers of one size took.
#[derive(Default)]
struct Asked {
    first: Vec<Duration>,
    warm: Vec<Duration>,
}

impl Asked {
    async fn ask(
        &mut self,
        size: u32,
        vault: &Vault,
        request: &Value,
        program: Command,
        variables: &[(&str, String)],
    ) {
        let mut lambda = Lambda::spawn(program, "sign", variables).await;
        lambda.polls().await;
        // Lambda gives all of a processor to what comes before the first request.
        let share = Share::of(size, lambda.process.id());
        for number in 0..=WARM {
            let asked = Instant::now();
            let event = event("POST", "/v1/sign", &vault.token, Some(request));
            let answer = lambda.invoke(event).await.unwrap();
            let times = if number == 0 { &mut self.first } else { &mut self.warm };
            times.push(asked.elapsed());
            assert_eq!(answer["statusCode"], 200, "{answer}");
        }
        drop(lambda);
        drop(share);
    }

    fn row(mut self, size: u32) -> String {
        self.first.sort_unstable();
        self.warm.sort_unstable();
        let (first, warm) = (self.first, self.warm);
        let billed: f64 = warm.iter().map(|time| millis(*time).ceil()).sum();
        let answers = f64::from(u32::try_from(warm.len()).unwrap());
        let cost = billed / answers * f64::from(size) / 1024.0 * 1000.0;
        format!(
            "{:.1} | {:.1}, {:.1} | {cost:.0}",
            millis(first[first.len() / 2]),
            millis(warm[warm.len() / 2]),
            millis(warm[warm.len() * 99 / 100]),
        )
    }
}

/// How long a request takes that DynamoDB has nothing to do for.
async fn there_and_back(variables: &[(&str, String)]) -> Duration {
    let endpoint = variables.iter().find(|(name, _)| *name == "AWS_ENDPOINT_URL").unwrap();
    let host = endpoint.1.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    connection.set_nodelay(true).unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let mut times = Vec::new();
    for _ in 0..=WARM {
        let asked = Instant::now();
        connection.write_all(request.as_bytes()).await.unwrap();
        assert_ne!(connection.read(&mut [0; 65_536]).await.unwrap(), 0, "it answers");
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    times[WARM / 2]
}

/// The same variables, with a way of `WAY` there and back between the function and what it asks.
async fn far(variables: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut variables = variables.to_vec();
    let (_, endpoint) = variables.iter_mut().find(|(name, _)| *name == "AWS_ENDPOINT_URL").unwrap();
    let there = endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    *endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(&there).await.unwrap();
            for end in [&near, &far] {
                end.set_nodelay(true).unwrap();
            }
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(carry(near_read, far_write));
            tokio::spawn(carry(far_read, near_write));
        }
    });
    variables
}

/// Carries what comes from one end to the other, half of `WAY` late, until one of them is gone.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bytes = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(WAY / 2).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// A process' share of a processor, taken back when this is dropped.
struct Share(PathBuf);

impl Share {
    fn of(size: u32, process: u32) -> Self {
        let folder = PathBuf::from(format!("/sys/fs/cgroup/cpu/postq-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .expect("the second part needs root, and the cgroup controller `cpu` (version 1)");
        let write = |file: &str, value: String| std::fs::write(folder.join(file), value).unwrap();
        write("cpu.cfs_period_us", PERIOD.to_string());
        write("cpu.cfs_quota_us", (PERIOD * size / FULL).to_string());
        write("cgroup.procs", process.to_string());
        Self(folder)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The process in it has ended; until it is gone from the list, the folder stays.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The size at which a Lambda has one processor, in MiB.
const FULL: u32 = 1769;

/// In what steps a share is given, in microseconds.
const PERIOD: u32 = 20_000;

/// About what the way to DynamoDB in a region takes, there and back. Timers lengthen it by a millisecond or two: what it came to is measured.
const WAY: Duration = Duration::from_millis(4);

const TURNS: usize = 5;

const WARM: usize = 100;

async fn start(program: Command, vault: &Vault, request: &Value) -> Start {
    let begun = Instant::now();
    let mut lambda = Lambda::spawn(program, "sign", &vault.variables()).await;
    lambda.polls().await;
    let poll = begun.elapsed();
    let asked = Instant::now();
    let answer = lambda.invoke(event("POST", "/v1/sign", &vault.token, Some(request))).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    Start { poll, request: asked.elapsed(), memory: peak(lambda.process.id()) }
}

/// What a process had of memory at most, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Processes start without an environment, and so without a path.
fn program_on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists()).unwrap()
}

fn sorted(starts: &[Start], of: impl Fn(&Start) -> Duration) -> Vec<Duration> {
    let mut all: Vec<Duration> = starts.iter().map(of).collect();
    all.sort_unstable();
    all
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
