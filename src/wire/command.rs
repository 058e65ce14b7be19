//! The body of a command: 64 bytes that say what is to be done, and a text that says why.

use bytemuck::{Pod, Zeroable};

use super::kind::COMMAND_BYTES;
use super::{ErrorCode, RequestError};
use crate::ledger::{Command, CommandWords};
use crate::limits::REASON_BYTES_MAX;

/// ```text
/// 0      2         4          16                              64
/// │ kind │ version │ 0        │ arguments                      │ reason …
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
struct RawCommand {
    kind: u16,
    version: u16,
    reserved: [u32; 3],
    arguments: CommandWords,
}

const _: () = assert!(size_of::<RawCommand>() == COMMAND_BYTES as usize);

/// Whether a text can be the reason of a command.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= REASON_BYTES_MAX
}

pub(super) fn to_body(command: Command, reason: &str) -> Vec<u8> {
    let (kind, version, arguments) = command.to_words();
    let raw = RawCommand { kind, version, reserved: [0; 3], arguments };
    [bytemuck::bytes_of(&raw), reason.as_bytes()].concat()
}

pub(super) fn from_body(body: &[u8]) -> Result<(Command, String), RequestError> {
    let refuse = |what| Err(RequestError::new(ErrorCode::InvalidCommand).with_detail(what));
    let Some((head, reason)) = body.split_at_checked(size_of::<RawCommand>()) else {
        return refuse("the body is too short for a command");
    };
    let raw: RawCommand = bytemuck::pod_read_unaligned(head);
    let command = Command::from_words(raw.kind, raw.version, raw.arguments);
    let (Some(command), [0, 0, 0]) = (command, raw.reserved) else {
        return refuse("kind, version and reserved bytes: no command that this server knows");
    };
    match std::str::from_utf8(reason) {
        Ok(reason) if is_reason(reason) => Ok((command, reason.to_owned())),
        Ok(_) => refuse("reason: must not be blank or longer than 1,000 bytes"),
        Err(_) => refuse("reason: must be UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Capacity;

    fn refused(body: &[u8]) -> bool {
        let Err(error) = from_body(body) else { return false };
        error.code() == Some(ErrorCode::InvalidCommand) && !error.detail.is_empty()
    }

    #[test]
    fn what_is_no_command_with_a_reason_is_refused_and_said() {
        let command = Command::RaiseCapacity(Capacity { accounts_max: 7, holds_max: 8 });
        let good = to_body(command, "more customers");
        assert_eq!(from_body(&good), Ok((command, "more customers".to_owned())));
        let longest = "r".repeat(REASON_BYTES_MAX);
        assert_eq!(from_body(&to_body(command, &longest)), Ok((command, longest.clone())));
        for reason in ["", " \t\n", &(longest + "r")] {
            assert!(refused(&to_body(command, reason)), "{} bytes", reason.len());
        }
        assert!(refused(&[&good[..], &[0xff]].concat()), "no UTF-8");
        assert!(refused(&good[..63]), "too short");
        // Another kind, another version, a reserved byte of the head and one of the arguments.
        for at in [0, 2, 4, 15, 32, 63] {
            let mut body = good.clone();
            body[at] ^= 2;
            assert!(refused(&body), "byte {at}");
        }
    }
}
