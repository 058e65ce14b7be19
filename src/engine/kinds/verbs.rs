//! The verbs of a kind of ordered work.

use crate::engine::order::Waiting;
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::log::{Frame, FrameKind, FrameView};

/// An event that needs an old record before it can be decided.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Cold {
    /// The event's index in its batch.
    pub(in crate::engine) event: usize,
    /// What it needs.
    pub(in crate::engine) load: Load,
}

/// How a piece of work goes on.
#[derive(Debug)]
pub(in crate::engine) enum Next {
    /// Owners were asked; go on when they have answered.
    Asked,
    /// It can't be decided without these; nothing has changed. Go on when they are here, or give it
    /// up.
    Cold(Vec<Cold>),
    /// There is nothing to do any more.
    Nothing,
    /// It is decided.
    Decided,
}

/// Work that is led through the owners.
pub(in crate::engine) trait Kind: Sized {
    /// Routes the questions to the owners.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>);

    /// Goes on, all that was asked being answered. May be called again after [`Next::Cold`].
    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next;

    /// Answers those who asked, after all else.
    fn answer<O: Owners>(self, parts: &mut Parts<O>);
}

/// Work that stands in the log.
pub(in crate::engine) trait Logged: Kind {
    /// Its frames.
    const FRAME: FrameKind;

    /// Writes the frame, and notes in the works what the owners have to take over.
    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame;

    /// Lets the owners take over what was decided.
    fn apply<O: Owners>(&mut self, parts: &mut Parts<O>) {
        parts.crew.send_applies();
    }

    /// The same work again, from its frame.
    fn read_back(frame: &FrameView<'_>) -> Self;

    /// Takes the requests out of which events are cold, each with what it needs, and the later ones of the
    /// same connections.
    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)>;

    /// Whether it is about nothing.
    fn is_empty(&self) -> bool;
}

/// The index of the last of `length` things, which are at most as many as a batch can have.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the events of a batch")]
pub(super) const fn last_index(length: usize) -> u32 {
    (length - 1) as u32
}

/// That many things, which are at most as many as a batch can have.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the events of a batch")]
pub(super) const fn count(length: usize) -> u32 {
    length as u32
}
