//! The embedded server under load over loopback: requests a second and the latency of `/v1/sign` and `/v1/verify`.
//! `cargo xtask bench-server` builds the release binary, installs `wrk` and runs this.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking, and prints what it measured"
)]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
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
    let server = start(dir.path());
    println!("| | connections | requests/s | p50, ms | p99, ms | errors |\n|---|---|---|---|---|---|");
    for algorithm in ["mldsa65+ed25519", "mldsa44+ecdsa-p256"] {
        let key = server.post("/v1/hybrid-keys", &json!({"name": "bench", "algorithm": algorithm}));
        let sign = json!({"keyId": key["data"]["id"], "payload": "aGVsbG8="});
        let signed = server.post("/v1/sign", &sign);
        let verify = json!({
            "keyId": key["data"]["id"], "payload": "aGVsbG8=", "signature": signed["data"]["signature"]
        });
        for (path, body) in [("/v1/sign", &sign), ("/v1/verify", &verify)] {
            for connections in [1, 8, 32] {
                let script = dir.path().join("request.lua");
                let lua = format!(
                    "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n\
                     wrk.headers['Authorization'] = '{}'\nwrk.body = [==[{body}]==]\n{REPORT}",
                    server.bearer
                );
                std::fs::write(&script, lua).unwrap();
                let output = Command::new("wrk")
                    .args(["--threads", "1", "--connections", &connections.to_string()])
                    .args(["--duration", &format!("{SECONDS}s"), "--script"])
                    .arg(&script)
                    .arg(format!("{}{path}", server.address))
                    .output()
                    .unwrap();
                let report = String::from_utf8(output.stdout).unwrap();
                let row = report.lines().find_map(|line| line.strip_prefix("row ")).unwrap_or("no answer");
                println!("| {path} {algorithm} | {connections} | {row} |");
            }
        }
    }
}

/// What `wrk` counted, as the end of a table's row.
const REPORT: &str = "done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('row %.0f | %.2f | %.2f | %d\\n', summary.requests / (summary.duration / 1e6),
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout))
end
";

fn start(data: &Path) -> Server {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let child = Command::new(root.join("target/release/postq-vault"))
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
            return server;
        }
    }
    server
}

impl Server {
    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.address);
        let mut response = ureq::post(&url).header("Authorization", &self.bearer).send_json(body).unwrap();
        response.body_mut().read_json().unwrap()
    }
}
