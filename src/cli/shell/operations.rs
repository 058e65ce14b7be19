//! The operations of the shell by name.

/// The operations by name, with what they do.
pub(crate) const OPERATIONS: [(&str, &str); 13] = [
    ("create-accounts", "create accounts, one for each event"),
    ("create-transfers", "create transfers, one for each event"),
    ("lookup-accounts", "show accounts by id"),
    ("lookup-transfers", "show transfers by id"),
    ("get-account-transfers", "show the transfers of an account"),
    ("get-account-balances", "show the balances of an account over time"),
    ("query-accounts", "show accounts by their fields"),
    ("query-transfers", "show transfers by their fields"),
    ("resolve-transfers", "tell what became of transfers"),
    ("fence", "make sure that transfers which were never seen never happen"),
    ("status", "show how the server is doing"),
    ("help", "explain an operation or a status"),
    ("exit", "leave"),
];
