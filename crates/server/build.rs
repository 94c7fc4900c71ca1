//! The dashboard is embedded as it was built last: built anew, it is embedded anew.

fn main() {
    println!("cargo::rerun-if-changed=../../dashboard/dist");
}
