//! What is asked of a session: the hello, and requests that are taken or refused.

use super::*;

impl Session {
    pub(super) fn greet(&mut self, at: &mut Surroundings<'_>, header: &Header, body: &[u8]) {
        let greeting = Hello::decode(header, body)
            .and_then(|hello| Ok((hello.accept(&at.view.limits)?, hello.records_max())));
        match greeting {
            Ok((reply, records_max)) => {
                self.records_max = Some(records_max);
                let (op, epoch) = (at.view.committed, at.view.epoch);
                let to = ReplyTo { correlation: header.correlation, op, epoch };
                reply.encode(to, self.outgoing.tail(at.spare, REFUSAL_BYTES));
            }
            Err(error) => self.fail(at, &error),
        }
    }

    /// Takes a request or refuses it. Gives how many bytes are to be waited for when there is no
    /// memory for its answer; then it is to come again.
    #[must_use = "a request that has to wait comes again"]
    pub(super) fn serve(
        &mut self,
        at: &mut Surroundings<'_>,
        header: &Header,
        request: Result<Request, RequestError>,
    ) -> Option<usize> {
        let correlation = header.correlation;
        let request = match request {
            Ok(request) => request,
            Err(error) if error.closes() => {
                self.fail(at, &error);
                return None;
            }
            Err(_) if header.kind() == Some(Kind::Hello) => {
                self.fail(at, &ErrorCode::HelloRepeated.into());
                return None;
            }
            Err(error) => {
                self.refuse(at, correlation, &error);
                return None;
            }
        };
        let request = match self.admit(at.view, request) {
            Ok(request) => request,
            Err(error) => {
                self.refuse(at, correlation, &error);
                return None;
            }
        };
        let bytes = reply_bytes_max(&request);
        if !self.has_memory(at.pool, bytes) {
            return Some(bytes);
        }
        let is_write = request.is_write();
        let asked = Asked { correlation, promised_bytes: bytes, is_write };
        let ticket = self.credit.take(asked, at.view.now_ns);
        self.loan.is_granted = false;
        self.note_memory(at.pool);
        let Place { core, slot, generation } = self.place;
        let source = Source { core, slot, generation, correlation: ticket };
        at.outbox.counts.requests_accepted += 1;
        at.outbox.submissions.push(Submission { source, principal: self.principal, request });
        None
    }

    /// Whether the request can be taken at all.
    fn admit(&self, view: &View, mut request: Request) -> Result<Request, RequestError> {
        if view.draining {
            return Err(RequestError::new(ErrorCode::ShuttingDown).retry_after_ms(1_000));
        }
        if self.credit.used() >= view.limits.in_flight_max as usize {
            return Err(ErrorCode::CreditExceeded.into());
        }
        if let Some(reason) = view.writes_refused
            && request.is_write()
        {
            return Err(RequestError::new(ErrorCode::CapacityExceeded).with_detail(reason));
        }
        let records_max = self.records_max.unwrap_or(0);
        match &mut request {
            Request::LookupAccounts(ids) | Request::LookupTransfers(ids)
                if ids.len() > records_max as usize =>
            {
                return Err(ErrorCode::ReplyTooLarge.into());
            }
            Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                filter.limit = filter.limit.min(records_max);
            }
            Request::QueryAccounts(filter) => filter.limit = filter.limit.min(records_max),
            Request::QueryTransfers(filter) => filter.limit = filter.limit.min(records_max),
            _ => {}
        }
        Ok(request)
    }

    /// Refuses one request; the connection lives on.
    pub(super) fn refuse(
        &mut self,
        at: &mut Surroundings<'_>,
        correlation: u64,
        error: &RequestError,
    ) {
        let to = ReplyTo { correlation, op: at.view.committed, epoch: at.view.epoch };
        encode_error(to, error, self.outgoing.tail(at.spare, REFUSAL_BYTES));
        self.note_memory(at.pool);
        at.outbox.counts.requests_refused += 1;
    }
}
