//! The server's side of a connection: bytes in, requests out.
//!
//! It follows the rules of the real one, which needs a socket and an executor: hello first, whole
//! frames only, credit, refusals while draining and while the disk is full.

use crate::engine::{Source, Submission};
use crate::ledger::Op;
use crate::log::Principal;
use crate::wire::{
    ErrorCode, HEADER_BYTES, Header, Hello, Limits, Reply, ReplyTo, Request, RequestError,
    encode_error, encode_reply,
};

/// What a connection needs to know of its server.
#[derive(Debug, Clone, Copy)]
pub(super) struct House {
    pub(super) limits: Limits,
    pub(super) committed: Op,
    pub(super) epoch: u64,
    pub(super) draining: bool,
    pub(super) full: bool,
}

/// One connection, as the server sees it.
pub(super) struct Port {
    core: u16,
    slot: u32,
    generation: u32,
    incoming: Vec<u8>,
    greeted: bool,
    in_flight: u32,
    /// Nothing more is read.
    pub(super) closing: bool,
    /// Bytes to send.
    pub(super) out: Vec<u8>,
    /// Writes that were refused because the disk was full.
    pub(super) refused_full: u64,
}

impl Port {
    pub(super) const fn new(core: u16, slot: u32, generation: u32) -> Self {
        Self {
            core,
            slot,
            generation,
            incoming: Vec::new(),
            greeted: false,
            in_flight: 0,
            closing: false,
            out: Vec::new(),
            refused_full: 0,
        }
    }

    /// Its place on the server.
    pub(super) const fn slot(&self) -> u32 {
        self.slot
    }

    /// Whether an answer to that source goes this way.
    pub(super) const fn is(&self, source: Source) -> bool {
        self.slot == source.slot && self.generation == source.generation
    }

    /// Takes bytes in. Gives the requests that are whole.
    pub(super) fn receive(&mut self, bytes: &[u8], house: &House) -> Vec<Submission> {
        let mut submissions = Vec::new();
        self.incoming.extend_from_slice(bytes);
        while !self.closing {
            let Some(head) = self.incoming.first_chunk::<HEADER_BYTES>() else { break };
            let header = match Header::parse(head) {
                Ok(header) => header,
                Err(error) => {
                    self.fail(&error.into(), house);
                    break;
                }
            };
            let end = HEADER_BYTES + header.body_len();
            if self.incoming.len() < end {
                break;
            }
            let body: Vec<u8> = self.incoming.drain(..end).skip(HEADER_BYTES).collect();
            if self.greeted {
                submissions.extend(self.serve(&header, &body, house));
            } else {
                self.greet(&header, &body, house);
            }
        }
        submissions
    }

    /// Queues an answer.
    pub(super) fn answer(&mut self, correlation: u64, op: Op, epoch: u64, reply: &Reply) {
        self.in_flight -= 1;
        encode_reply(ReplyTo { correlation, op, epoch }, reply, &mut self.out);
    }

    fn greet(&mut self, header: &Header, body: &[u8], house: &House) {
        match Hello::decode(header, body).and_then(|hello| hello.accept(&house.limits)) {
            Ok(reply) => {
                self.greeted = true;
                let correlation = header.correlation;
                let to = ReplyTo { correlation, op: house.committed, epoch: house.epoch };
                reply.encode(to, &mut self.out);
            }
            Err(error) => self.fail(&error, house),
        }
    }

    fn serve(&mut self, header: &Header, body: &[u8], house: &House) -> Option<Submission> {
        let correlation = header.correlation;
        let taken = Request::decode(header, body)
            .and_then(|request| self.admit(&request, house).map(|()| request));
        match taken {
            Ok(request) => {
                self.in_flight += 1;
                let Self { core, slot, generation, .. } = *self;
                let source = Source { core, slot, generation, correlation };
                Some(Submission { source, principal: Principal::NOBODY, request })
            }
            Err(error) if error.closes() => {
                self.fail(&error, house);
                None
            }
            Err(error) => {
                self.refuse(correlation, &error, house);
                None
            }
        }
    }

    fn admit(&mut self, request: &Request, house: &House) -> Result<(), RequestError> {
        if house.draining {
            return Err(RequestError::new(ErrorCode::ShuttingDown).retry_after_ms(1));
        }
        if self.in_flight >= house.limits.in_flight_max {
            return Err(ErrorCode::CreditExceeded.into());
        }
        if request.is_write() && house.full {
            self.refused_full += 1;
            return Err(ErrorCode::CapacityExceeded.into());
        }
        Ok(())
    }

    fn refuse(&mut self, correlation: u64, error: &RequestError, house: &House) {
        let to = ReplyTo { correlation, op: house.committed, epoch: house.epoch };
        encode_error(to, error, &mut self.out);
    }

    fn fail(&mut self, error: &RequestError, house: &House) {
        self.refuse(0, error, house);
        self.closing = true;
    }
}
