//! The `partita` binary: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    partita::cli::main()
}
