//! The binary `moho`: everything is in the library, so that it can be tested.

use std::process::ExitCode;

fn main() -> ExitCode {
    moho_server::run()
}
