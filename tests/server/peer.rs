//! A bare connection: sends any bytes, and understands what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use partita::ledger::{Account, CreateResult, CreateTransferStatus, Transfer};
use partita::wire::{
    ErrorCode, HEADER_BYTES, Header, Hello, Kind, Reply, Request, RequestError, StatusReport,
    encode_request,
};

use crate::process::PATIENCE;

pub(crate) const CREATED: u32 = CreateTransferStatus::Created.code();

pub(crate) struct Peer {
    stream: TcpStream,
    correlation: u64,
}

/// A frame from the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) header: Header,
    pub(crate) reply: Option<Reply>,
}

impl Answer {
    /// The refusal, which it must be.
    pub(crate) fn error(&self) -> &RequestError {
        match &self.reply {
            Some(Reply::Error(error)) => error,
            other => panic!("no refusal: {other:?}"),
        }
    }
}

impl Peer {
    /// Connected, without a hello.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation: 1_000 }
    }

    /// Connected, and the hello answered.
    pub(crate) fn greeted(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.send(&hello());
        let answer = peer.receive().unwrap();
        assert_eq!(answer.header.kind(), Some(Kind::HelloReply), "{answer:?}");
        peer
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The same when the server may have closed in between. Whether all was sent.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Ends this side only.
    pub(crate) fn end_writing(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a request and gives its correlation.
    pub(crate) fn ask(&mut self, request: &Request) -> u64 {
        self.correlation += 1;
        let mut bytes = Vec::new();
        encode_request(self.correlation, request, &mut bytes);
        self.send(&bytes);
        self.correlation
    }

    /// The next frame, or none when the server has closed.
    pub(crate) fn receive(&mut self) -> Option<Answer> {
        let mut head = [0; HEADER_BYTES];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        let header = Header::parse(&head).unwrap();
        let mut body = vec![0; header.body_len()];
        self.stream.read_exact(&mut body).unwrap();
        header.check_body(&body).unwrap();
        let reply = (header.kind() != Some(Kind::HelloReply))
            .then(|| Reply::decode(&header, &body).unwrap());
        Some(Answer { header, reply })
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.receive().is_none()
    }

    /// A request and its answer, which must be the next frame.
    pub(crate) fn call(&mut self, request: &Request) -> Reply {
        let correlation = self.ask(request);
        let answer = self.receive().expect("the server has closed");
        assert_eq!(answer.header.correlation, correlation);
        answer.reply.unwrap()
    }

    /// Expects an error that closes the connection, and that it is closed.
    pub(crate) fn expect_last_words(&mut self, code: ErrorCode) {
        let answer = self.receive().unwrap_or_else(|| panic!("closed without {code:?}"));
        assert_eq!(answer.error().code(), Some(code), "{answer:?}");
        assert!(answer.error().closes() && answer.header.correlation == 0, "{answer:?}");
        assert!(self.is_closed(), "{code:?}");
    }

    /// Expects that one request was refused, and that the connection lives on.
    pub(crate) fn expect_refusal(&mut self, code: ErrorCode, correlation: u64) {
        let answer = self.receive().unwrap_or_else(|| panic!("closed without {code:?}"));
        assert_eq!(answer.error().code(), Some(code), "{answer:?}");
        assert!(answer.error().is_definite() && !answer.error().closes(), "{answer:?}");
        assert_eq!(answer.header.correlation, correlation, "{code:?}");
        assert_eq!(self.call(&Request::Ping), Reply::Pong);
    }

    pub(crate) fn create_transfers(&mut self, events: Vec<Transfer>) -> Vec<CreateResult> {
        match self.call(&Request::CreateTransfers(events)) {
            Reply::CreateResults(results) => results,
            other => panic!("{other:?}"),
        }
    }

    /// Creates accounts of ledger 700, which must be new.
    pub(crate) fn create_accounts(&mut self, ids: &[u128]) {
        let account = |&id| Account { id, ledger: 700, code: 10, ..Account::default() };
        match self.call(&Request::CreateAccounts(ids.iter().map(account).collect())) {
            Reply::CreateResults(results) => {
                assert!(results.iter().all(|result| result.status == CREATED), "{results:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lookup_accounts(&mut self, ids: &[u128]) -> Vec<Account> {
        match self.call(&Request::LookupAccounts(ids.to_vec())) {
            Reply::Accounts(accounts) => accounts,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lookup_transfers(&mut self, ids: &[u128]) -> Vec<Transfer> {
        match self.call(&Request::LookupTransfers(ids.to_vec())) {
            Reply::Transfers(transfers) => transfers,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn status(&mut self) -> StatusReport {
        match self.call(&Request::Status) {
            Reply::Status(report) => *report,
            other => panic!("{other:?}"),
        }
    }
}

/// The frame of a hello for any cluster.
pub(crate) fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello::new(0, "test").encode(1, &mut bytes);
    bytes
}

/// The frame of a request.
pub(crate) fn frame(correlation: u64, request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(correlation, request, &mut bytes);
    bytes
}

/// A transfer of 1 in ledger 700.
pub(crate) fn transfer(id: u128, debit_account_id: u128, credit_account_id: u128) -> Transfer {
    Transfer {
        id,
        debit_account_id,
        credit_account_id,
        amount: 1,
        ledger: 700,
        code: 1,
        ..Transfer::default()
    }
}
