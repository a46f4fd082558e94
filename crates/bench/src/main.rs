//! The binary `carillon-bench`.
fn main() {}
