//! The binary `carillon`.
fn main() {}
