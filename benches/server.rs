//! The embedded server under load over loopback: requests a second and the latency of `/v1/sign` and `/v1/verify`, and the first
//! signature of a process. `cargo xtask bench-server` builds the release binary, installs `wrk` and runs this; `cargo bench -p benches --bench
//! server -- first` runs the last part alone.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking, and prints what it measured"
)]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::{Value, json};

const SECONDS: u32 = 8;

struct Server {
    child: Child,
    address: String,
    bearer: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with the measurement, however that ends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let mut programs = vec![("this build", binary())];
    // Another build, an older one say.
    if let Some(beside) = std::env::var_os("POSTQ_BENCH_BESIDE").filter(|path| !path.is_empty()) {
        programs.push(("beside", PathBuf::from(beside)));
    }
    if std::env::args().any(|argument| argument == "first") {
        return first_signatures(&programs);
    }
    let servers: Vec<_> = programs
        .iter()
        .map(|(name, program)| (*name, start(program, &dir.path().join(name.replace(' ', "-")))))
        .collect();
    println!(
        "| | build | connections | requests/s | p50, ms | p99, ms | errors |\n|---|---|---|---|---|---|---|"
    );
    for algorithm in ["mldsa65+ed25519", "mldsa44+ecdsa-p256"] {
        for path in ["/v1/sign", "/v1/verify"] {
            for connections in [1, 16, 64] {
                // By turns, so that what the machine does meanwhile meets both.
                for (name, server) in &servers {
                    let key =
                        server.post("/v1/hybrid-keys", &json!({"name": "bench", "algorithm": algorithm}));
                    let sign = json!({"keyId": key["data"]["id"], "payload": "aGVsbG8="});
                    let signed = server.post("/v1/sign", &sign);
                    let verify = json!({
                        "keyId": key["data"]["id"], "payload": "aGVsbG8=", "signature": signed["data"]["signature"]
                    });
                    let body = if path == "/v1/sign" { sign } else { verify };
                    let lua = format!(
                        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n\
                         wrk.headers['Authorization'] = '{}'\nwrk.body = [==[{body}]==]\n{REPORT}",
                        server.bearer
                    );
                    let row = wrk(dir.path(), &lua, connections, &format!("{}{path}", server.address));
                    println!("| {path} {algorithm} | {name} | {connections} | {row} |");
                }
            }
        }
    }
    contention(&servers[0].1, dir.path());
    drop(servers);
    first_signatures(&programs);
}

/// Processes that sign for the first time: from their start to their address, and from there to a first and a second signature.
fn first_signatures(programs: &[(&str, PathBuf)]) {
    println!(
        "\n| medians of {STARTS} starts, ms | start to address | first /v1/sign | second |\n|---|---|---|---|"
    );
    for (name, program) in programs {
        let dir = tempfile::tempdir().unwrap();
        let first = start(program, dir.path());
        let key = first.post("/v1/hybrid-keys", &json!({"name": "bench"}));
        let sign = json!({"keyId": key["data"]["id"], "payload": "aGVsbG8="});
        let bearer = first.bearer.clone();
        drop(first);
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..STARTS {
            let begun = Instant::now();
            let mut server = start_again(program, dir.path());
            times[0].push(begun.elapsed());
            server.bearer.clone_from(&bearer);
            for times in &mut times[1..] {
                let begun = Instant::now();
                server.post("/v1/sign", &sign);
                times.push(begun.elapsed());
            }
        }
        let [start, first, second] = times.map(|mut times| {
            times.sort_unstable();
            times[STARTS / 2].as_secs_f64() * 1e3
        });
        println!("| {name} | {start:.1} | {first:.2} | {second:.2} |");
    }
}

const STARTS: usize = 20;

/// Whether the ledger is a bottleneck: 64 connections on one key of one organisation, and 64 on a key of an organisation of its
/// own each, by turns.
fn contention(server: &Server, dir: &Path) {
    let key = |bearer: &str| {
        let created = server.post_as(bearer, "/v1/hybrid-keys", &json!({"name": "bench"}));
        (bearer.to_owned(), created["data"]["id"].as_str().unwrap().to_owned())
    };
    let one = vec![key(&server.bearer)];
    let many: Vec<_> = (0..64).map(|n| key(&make_org(dir, n))).collect();
    println!(
        "\n| 64 connections, /v1/sign mldsa65+ed25519 | requests/s | p50, ms | p99, ms | errors |\n|---|---|---|---|---|"
    );
    for _ in 0..3 {
        for (what, keys) in [("one key, one organisation", &one), ("64 keys, 64 organisations", &many)] {
            let list = |items: Vec<String>| format!("{{{}}}", items.join(","));
            let bearers = list(keys.iter().map(|(bearer, _)| format!("'{bearer}'")).collect());
            let ids = list(keys.iter().map(|(_, id)| format!("'{id}'")).collect());
            let lua = format!(
                "local bearers, ids, at = {bearers}, {ids}, 0\nrequest = function()\n at = at % #ids + 1\n\
                 return wrk.format('POST', nil, {{['Content-Type'] = 'application/json', ['Authorization'] = bearers[at]}},\
                 '{{\"payload\":\"aGVsbG8=\",\"keyId\":\"' .. ids[at] .. '\"}}')\nend\n{REPORT}"
            );
            println!("| {what} | {} |", wrk(dir, &lua, 64, &format!("{}/v1/sign", server.address)));
        }
    }
}

fn make_org(dir: &Path, n: usize) -> String {
    let output = Command::new(binary())
        .args(["org", "create", &format!("bench {n}"), "--data"])
        .arg(dir.join("this-build/data"))
        .env("RUST_LOG", "warn")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    format!("Bearer {}", told.lines().find_map(|line| line.strip_prefix("token")).unwrap().trim())
}

/// What `wrk` counted, as the end of a table's row.
const REPORT: &str = "done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('row %.0f | %.2f | %.2f | %d\\n', summary.requests / (summary.duration / 1e6),
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout))
end
";

fn wrk(dir: &Path, lua: &str, connections: u32, url: &str) -> String {
    let script = dir.join("request.lua");
    std::fs::write(&script, lua).unwrap();
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{SECONDS}s"), "--script"])
        .arg(&script)
        .arg(url)
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    report.lines().find_map(|line| line.strip_prefix("row ")).unwrap_or("no answer").to_owned()
}

fn binary() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/release/postq-vault")
}

/// With a first token, which a new one prints last.
fn start(program: &Path, data: &Path) -> Server {
    start_until(program, data, "token")
}

fn start_again(program: &Path, data: &Path) -> Server {
    start_until(program, data, "address")
}

fn start_until(program: &Path, data: &Path, last: &str) -> Server {
    let child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.join("data"))
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Server { child, address: String::new(), bearer: String::new() };
    for line in BufReader::new(server.child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("address") {
            server.address = address.trim().to_owned();
        }
        if let Some(token) = line.strip_prefix("token") {
            server.bearer = format!("Bearer {}", token.trim());
        }
        if line.starts_with(last) {
            break;
        }
    }
    server
}

impl Server {
    fn post(&self, path: &str, body: &Value) -> Value {
        self.post_as(&self.bearer, path, body)
    }

    fn post_as(&self, bearer: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.address);
        let mut response = ureq::post(&url).header("Authorization", bearer).send_json(body).unwrap();
        response.body_mut().read_json().unwrap()
    }
}
