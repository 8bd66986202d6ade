use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Close(Option<CloseCode>),
    Receive(Option<CloseCode>),
    Fail(CloseCode),
    End,
}

const STEPS: [Step; 7] = [
    Step::Close(None),
    Step::Close(Some(CloseCode::GOING_AWAY)),
    Step::Receive(None),
    Step::Receive(Some(CloseCode::NORMAL)),
    Step::Fail(CloseCode::PROTOCOL_ERROR),
    Step::Fail(CloseCode::TOO_BIG),
    Step::End,
];

/// What RFC 6455 says of a connection of which this is all that was done: found out from the whole of it.
struct Model<'a>(&'a [Step]);

impl Model<'_> {
    fn position(&self, is: impl Fn(Step) -> bool) -> usize {
        self.0.iter().position(|step| is(*step)).unwrap_or(usize::MAX)
    }

    fn ended_at(&self) -> usize {
        self.position(|step| step == Step::End)
    }

    fn failed_at(&self) -> usize {
        self.position(|step| matches!(step, Step::Fail(_)))
    }

    /// When the peer's close frame has come, where it counts: not behind another one, nor on a connection
    /// that was failed before (RFC 6455 7.1.7) or has ended.
    fn received_at(&self) -> Option<usize> {
        let at = self.position(|step| matches!(step, Step::Receive(_)));
        (at < self.failed_at() && at < self.ended_at()).then_some(at)
    }

    /// When our close frame was sent: at the first occasion, which also is an answer.
    fn sent_at(&self) -> Option<usize> {
        let at = self.position(|step| step != Step::End);
        (at < self.ended_at()).then_some(at)
    }

    /// Whether the connection was failed, before both close frames had come and gone.
    fn is_failed(&self) -> bool {
        self.failed_at() < self.ended_at() && self.received_at().is_none()
    }

    /// Whether the last step is the one that our close frame is sent for.
    fn is_sent_last(&self) -> bool {
        self.sent_at() == Some(self.0.len() - 1)
    }

    fn code(&self) -> CloseCode {
        match self.sent_at().map(|at| self.0[at]) {
            None | Some(Step::End) => CloseCode::ABNORMAL,
            Some(Step::Fail(code)) => code,
            Some(Step::Close(code) | Step::Receive(code)) => code.unwrap_or(CloseCode::NO_STATUS),
        }
    }

    fn initiator(&self) -> Initiator {
        if self.received_at() == self.sent_at() { Initiator::Peer } else { Initiator::Us }
    }

    fn state(&self) -> ClosingState {
        let has_ended = self.ended_at() != usize::MAX;
        let is_clean = self.received_at().is_some();
        match (self.sent_at(), self.initiator()) {
            (_, initiator) if has_ended && is_clean => ClosingState::Closed(initiator),
            _ if has_ended => ClosingState::Aborted,
            (None, _) => ClosingState::Open,
            _ if self.is_failed() => ClosingState::Failed,
            (_, Initiator::Peer) => ClosingState::CloseReceived,
            _ if is_clean => ClosingState::CloseAcknowledged,
            _ => ClosingState::CloseSent,
        }
    }

    fn after_flush(&self, role: Role) -> AfterFlush {
        let is_clean = self.received_at().is_some();
        if self.ended_at() != usize::MAX {
            return AfterFlush::Close;
        }
        match role {
            // RFC 6455 7.1.1: the server is the first to close.
            Role::Server if is_clean => AfterFlush::Close,
            Role::Client if is_clean => AfterFlush::AwaitEnd,
            _ if self.is_failed() => AfterFlush::Discard,
            _ if self.sent_at().is_some() => AfterFlush::AwaitClose,
            _ => AfterFlush::GoOn,
        }
    }
}

/// Everything that can be done with a connection, in every order, up to six times.
#[test]
fn as_the_rfc_says() {
    let mut all = vec![(Vec::new(), Closing::OPEN)];
    let mut count = 0;
    while let Some((steps, closing)) = all.pop() {
        check(&steps, closing);
        count += 1;
        if steps.len() == 6 {
            continue;
        }
        for step in STEPS {
            let (mut steps, mut closing) = (steps.clone(), closing);
            steps.push(step);
            let is_sent = match step {
                Step::Close(code) => closing.close(code),
                Step::Receive(code) => closing.receive(code),
                Step::Fail(code) => closing.fail(code),
                Step::End => {
                    closing.end();
                    false
                }
            };
            assert_eq!(is_sent, Model(&steps).is_sent_last(), "{steps:?}");
            all.push((steps, closing));
        }
    }
    assert_eq!(count, (0..=6).map(|len| STEPS.len().pow(len)).sum::<usize>());
}

fn check(steps: &[Step], closing: Closing) {
    let model = Model(steps);
    assert_eq!((closing.state(), closing.code()), (model.state(), model.code()), "{steps:?}");
    let is_open = steps.is_empty();
    let has_ended = steps.contains(&Step::End);
    // RFC 6455 5.5.1, 7.1.7: read on for the peer's close frame alone, unless it has come or does not count.
    let is_receiving = !has_ended && !model.is_failed() && model.received_at().is_none();
    assert_eq!(closing.is_open(), is_open, "{steps:?}");
    assert_eq!(closing.is_receiving(), is_receiving, "{steps:?}");
    assert_eq!(closing.has_ended(), has_ended, "{steps:?}");
    if !matches!(closing.state(), ClosingState::Open | ClosingState::Aborted) {
        assert_eq!(closing.initiator(), Some(model.initiator()), "{steps:?}");
    }
    for role in [Role::Server, Role::Client] {
        assert_eq!(closing.after_flush(role), model.after_flush(role), "{steps:?} {role:?}");
    }
}

/// USERS 55: it takes no more of an idle connection than the code does.
#[test]
fn it_is_as_small_as_a_code() {
    assert_eq!(size_of::<Closing>(), size_of::<CloseCode>());
    for number in (1000..=4999).filter_map(CloseCode::new) {
        let mut closing = Closing::OPEN;
        assert!(closing.close(Some(number)));
        closing.end();
        assert_eq!((closing.state(), closing.code()), (ClosingState::Aborted, number));
    }
}
