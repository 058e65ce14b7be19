//! Receiving a body where it will be used: no copy between the socket and the batch.

use bytemuck::Zeroable;

use super::header::Header;
use super::kind::Kind;
use super::{Request, RequestError};
use crate::ledger::{Account, Transfer};

/// Room for the body of one request. Records are received aligned, in the vector that the request
/// then owns.
#[derive(Debug)]
pub enum BodyBuffer {
    /// The body of `create_transfers`.
    Transfers(Vec<Transfer>),
    /// The body of `create_accounts`.
    Accounts(Vec<Account>),
    /// Any other body, also one that will be refused.
    Bytes(Vec<u8>),
}

impl BodyBuffer {
    /// Room for the body that a parsed header announces (at most 1 MiB). A request that will be
    /// refused gets room as well, since its body has to be read off the connection.
    #[must_use]
    pub fn for_header(header: &Header) -> Self {
        match header.check_request() {
            Ok(Kind::CreateTransfers) => {
                let count = header.body_len() / size_of::<Transfer>();
                Self::Transfers(vec![Transfer::zeroed(); count])
            }
            Ok(Kind::CreateAccounts) => {
                let count = header.body_len() / size_of::<Account>();
                Self::Accounts(vec![Account::zeroed(); count])
            }
            _ => Self::Bytes(vec![0; header.body_len()]),
        }
    }

    /// The filled body as a request, after its checksum was verified.
    ///
    /// # Errors
    /// The refusal to answer; the connection lives on unless [`RequestError::closes`].
    pub fn into_request(self, header: &Header) -> Result<Request, RequestError> {
        match self {
            Self::Bytes(bytes) => Request::decode(header, &bytes),
            Self::Transfers(records) => {
                header.check_request()?;
                header.check_body(bytemuck::cast_slice(&records))?;
                Ok(Request::CreateTransfers(records))
            }
            Self::Accounts(records) => {
                header.check_request()?;
                header.check_body(bytemuck::cast_slice(&records))?;
                Ok(Request::CreateAccounts(records))
            }
        }
    }
}

/// The bytes to fill from the connection, exactly as many as the header announces.
impl AsMut<[u8]> for BodyBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Transfers(records) => bytemuck::cast_slice_mut(records),
            Self::Accounts(records) => bytemuck::cast_slice_mut(records),
            Self::Bytes(bytes) => bytes,
        }
    }
}
