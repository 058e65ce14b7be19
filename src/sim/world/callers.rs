//! The clients: real sessions, moved by events, that ask what the workload thinks of.

use super::auditor::Wrong;
use super::calls::CallRecord;
use super::report::Count;
use super::state::{Event, World, note};
use crate::client::{Action, Call, Session, SessionConfig};
use crate::ledger::{ResolveFlags, Timestamp};
use crate::sim::workload::Step;
use crate::wire::{Request, encode_request};

/// One client.
pub(super) struct Caller {
    pub(super) session: Session,
    pub(super) connection: Option<u64>,
    /// Calls that aren't completed.
    pub(super) open: usize,
    window: usize,
    timer_ns: u64,
}

const MILLISECOND_NS: u64 = 1_000_000;

impl World {
    pub(super) fn add_caller(&mut self, index: u64) {
        let random = &mut self.chance.callers;
        let config = SessionConfig {
            cluster: if random.percent(50) { self.config.cluster.0 } else { 0 },
            name: format!("caller {index}"),
            addresses: 1,
            connect_timeout_ns: 50 * MILLISECOND_NS,
            connect_deadline_ns: u64::MAX,
            backoff_min_ns: 200_000,
            backoff_max_ns: 20 * MILLISECOND_NS,
            attempts_max: u32::try_from(random.between(1, 5)).unwrap_or(1),
            in_flight_max: u32::try_from(random.between(1, 8)).unwrap_or(1),
            seed: random.next_u64(),
        };
        let window = random.index(6) + 1;
        let session = Session::new(config, self.now_ns);
        let caller = Caller { session, connection: None, open: 0, window, timer_ns: u64::MAX };
        self.callers.push(caller);
        let index = self.callers.len() - 1;
        self.after(0, Event::CallerTimer(index));
        self.after(index as u64 * 1_000, Event::NewCall(index));
    }

    /// A caller asks something, unless it waits for too much already.
    pub(super) fn new_call(&mut self, caller: usize) -> Result<(), Wrong> {
        if self.steps_left == 0 {
            return Ok(());
        }
        let wait_ns = self.workload.pause_ns();
        self.after(wait_ns, Event::NewCall(caller));
        if self.callers[caller].open >= self.callers[caller].window {
            return Ok(());
        }
        let requests = self.think();
        for (at, request) in requests.into_iter().enumerate() {
            // What stands together comes from several callers, so that batches are shared.
            let caller = (caller + at) % self.callers.len();
            self.steps_left = self.steps_left.saturating_sub(1);
            self.issue(caller, request, false);
        }
        (0..self.callers.len()).try_for_each(|caller| self.pump(caller))
    }

    fn think(&mut self) -> Vec<Request> {
        if self.chance.callers.percent(25) {
            return vec![self.think_of_read()];
        }
        let wall = Timestamp(self.wall_ns());
        match self.workload.step(wall.max(self.auditor.model().last_timestamp())) {
            Step::CreateAccounts(requests) => {
                requests.into_iter().map(Request::CreateAccounts).collect()
            }
            Step::CreateTransfers(requests) => {
                requests.into_iter().map(Request::CreateTransfers).collect()
            }
            Step::Resolve { ids, fence } => {
                let flags = if fence { ResolveFlags::FENCE } else { 0 };
                vec![Request::ResolveTransfers { ids, flags }]
            }
            Step::Expire => vec![Request::Status],
            Step::Command { command, reason } => vec![Request::Command { command, reason }],
        }
    }

    fn think_of_read(&mut self) -> Request {
        let mut some = |ids: Vec<u128>| -> Vec<u128> {
            let random = &mut self.chance.callers;
            let count = random.index(12);
            let mut picked: Vec<u128> =
                (0..count.min(ids.len())).map(|_| random.pick(&ids)).collect();
            picked.push(3);
            picked
        };
        // The last committed state is a good guess of what there is.
        let model = self.auditor.model();
        let accounts = some(model.accounts().map(|account| account.id).collect());
        let transfers =
            some(model.transfers().rev().take(200).map(|transfer| transfer.id).collect());
        match self.chance.callers.below(7) {
            0 => Request::LookupAccounts(accounts),
            1 => Request::LookupTransfers(transfers),
            2 => Request::ResolveTransfers { ids: transfers, flags: 0 },
            3 => Request::GetAccountTransfers(self.workload.account_filter()),
            4 => Request::GetAccountBalances(self.workload.account_filter()),
            5 => Request::QueryAccounts(self.workload.query_accounts_filter()),
            _ => Request::QueryTransfers(self.workload.query_transfers_filter()),
        }
    }

    /// Hands a request to a caller's session.
    pub(super) fn issue(&mut self, caller: usize, request: Request, settles: bool) {
        let correlation = self.calls.len() as u64 + 1;
        let mut frame = Vec::new();
        encode_request(correlation, &request, &mut frame);
        note!(self, "call {correlation} of caller {caller}: {request:.300?}");
        let random = &mut self.chance.callers;
        let patience_ns = if self.quiet {
            60_000 * MILLISECOND_NS
        } else {
            match random.below(10) {
                0 => random.between(1, 20) * MILLISECOND_NS / 10,
                1..=5 => random.between(5, 50) * MILLISECOND_NS,
                _ => random.between(100, 2_000) * MILLISECOND_NS,
            }
        };
        let record = CallRecord::new(caller, request, self.told, settles);
        self.calls.insert(correlation, record);
        self.callers[caller].open += 1;
        self.open_calls += 1;
        self.report.count(Count::Calls);
        let call = Call::new(frame, self.now_ns + patience_ns);
        let now_ns = self.now_ns;
        self.callers[caller].session.submit(call, now_ns);
        self.after(0, Event::CallerTimer(caller));
    }

    pub(super) fn caller_timer(&mut self, caller: usize) -> Result<(), Wrong> {
        let now_ns = self.now_ns;
        if self.callers[caller].timer_ns <= now_ns {
            self.callers[caller].timer_ns = u64::MAX;
        }
        self.callers[caller].session.handle_timeout(now_ns);
        self.pump(caller)
    }

    /// Does what a session wants, until it wants nothing more.
    pub(super) fn pump(&mut self, caller: usize) -> Result<(), Wrong> {
        loop {
            let mut busy = false;
            while let Some(action) = self.callers[caller].session.poll_action() {
                busy = true;
                if let Some(old) = self.callers[caller].connection.take() {
                    self.closed_by_caller(old);
                }
                if matches!(action, Action::Connect { .. }) {
                    self.callers[caller].connection = Some(self.connect(caller));
                }
            }
            busy |= self.send_output(caller);
            while let Some((correlation, completion)) =
                self.callers[caller].session.poll_completion()
            {
                busy = true;
                self.completed(correlation, completion)?;
            }
            if !busy {
                break;
            }
        }
        let caller_state = &mut self.callers[caller];
        if let Some(at_ns) = caller_state.session.poll_timeout()
            && at_ns < caller_state.timer_ns
            && at_ns < u64::MAX
        {
            caller_state.timer_ns = at_ns;
            self.at(at_ns, Event::CallerTimer(caller));
        }
        Ok(())
    }

    fn send_output(&mut self, caller: usize) -> bool {
        let state = &mut self.callers[caller];
        let Some(connection) = state.connection else { return false };
        let mut bytes: Vec<u8> = state.session.output(8).flatten().copied().collect();
        if bytes.is_empty() {
            return false;
        }
        let random = &mut self.chance.network;
        if random.percent(15) {
            bytes.truncate(1 + random.index(bytes.len()));
        }
        state.session.handle_sent(bytes.len(), self.now_ns);
        self.send(connection, &bytes, true);
        true
    }
}
