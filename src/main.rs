//! The `partita` binary: everything is in the library's `cli`.

#[global_allocator]
static ALLOCATOR: partita::io::Allocator = partita::io::Allocator;

fn main() -> std::process::ExitCode {
    partita::cli::main()
}
