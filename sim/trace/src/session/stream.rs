//! One direction of a captured session, cut into frames as its bytes come.

use super::{Packing, Tick};
use crate::decoder::{self, Splitter};
use crate::session::gist;
use crate::unpack::Unpacker;

/// Bytes by which the packing is detected. Messages within them decide.
const PROBED_BYTES: usize = 1 << 16;
/// Unpacked bytes that are split at a time. One packed byte may stand for 2,040 bytes.
const CHUNK_BYTES: usize = 1 << 10;
/// Messages of one direction that are kept, at most.
const MAX_MESSAGES: usize = 1 << 22;
/// Frames without a root that are kept, at most: a kilobyte of a packed stream may stand for a hundred thousand of them.
const MAX_EMPTY: usize = 1000;

/// One direction.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// `None` until it was given or detected.
    packing: Option<Packing>,
    /// Bytes that wait for the packing to be known, each push with its tick.
    waiting: Vec<(Vec<u8>, Option<Tick>)>,
    waiting_bytes: usize,
    lost: Option<String>,
    bytes: u64,
    cutter: Cutter,
}

/// A frame or something that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) byte: u64,
    pub(super) packed_byte: Option<u64>,
    pub(super) tick: Option<Tick>,
    /// The bytes of a whole frame.
    pub(super) content: Result<Vec<u8>, Torn>,
}

/// What is no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Torn {
    /// Bytes that cannot begin a frame.
    Garbled { bytes: usize, reason: String },
    /// The direction ends inside a frame.
    Ended { pending_bytes: usize },
}

/// What a direction held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) bytes: u64,
    pub(super) messages: u64,
    pub(super) packing: Packing,
}

impl Piece {
    /// Whether this only marks the end of the direction.
    pub(super) fn is_end(&self) -> bool {
        self.content.is_err()
    }
}

impl Stream {
    pub(super) fn new(packing: Option<Packing>) -> Self {
        Self {
            packing,
            waiting: Vec::new(),
            waiting_bytes: 0,
            lost: None,
            bytes: 0,
            cutter: Cutter::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], tick: Option<Tick>) {
        if self.lost.is_some() {
            return;
        }
        self.bytes += bytes.len() as u64;
        if let Some(packing) = self.packing {
            self.cutter.push(packing, bytes, tick);
            return;
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push((bytes.to_vec(), tick));
        if self.waiting_bytes >= PROBED_BYTES {
            self.decide();
        }
    }

    pub(super) fn lose(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
    }

    pub(super) fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// Detects the packing by what came so far, unless nothing tells it.
    pub(super) fn decide(&mut self) {
        if self.packing.is_some() {
            return;
        }
        let mut probe: Vec<u8> = self.waiting.iter().flat_map(|(bytes, _)| bytes).copied().collect();
        probe.truncate(PROBED_BYTES);
        let unpacked = sane_messages(Packing::Unpacked, &probe);
        let packed = sane_messages(Packing::Packed, &probe);
        self.packing = match unpacked.cmp(&packed) {
            std::cmp::Ordering::Less => Some(Packing::Packed),
            std::cmp::Ordering::Greater => Some(Packing::Unpacked),
            // A first message that is longer than the probe.
            std::cmp::Ordering::Equal if self.waiting_bytes >= PROBED_BYTES => Some(Packing::Unpacked),
            std::cmp::Ordering::Equal => None,
        };
        self.cut_waiting();
    }

    fn cut_waiting(&mut self) {
        let Some(packing) = self.packing else { return };
        for (bytes, tick) in std::mem::take(&mut self.waiting) {
            self.cutter.push(packing, &bytes, tick);
        }
    }

    /// The pieces. `packing` counts if nothing told it so far.
    pub(super) fn finish(mut self, packing: Packing) -> (Vec<Piece>, Counts) {
        let packing = *self.packing.get_or_insert(packing);
        self.cut_waiting();
        let pieces = self.cutter.finish(self.lost);
        let messages = pieces.iter().filter(|piece| !piece.is_end()).count() as u64;
        (pieces, Counts { bytes: self.bytes, messages, packing })
    }
}

/// The messages at the start of some bytes up to the first that makes no sense.
fn sane_messages(packing: Packing, bytes: &[u8]) -> usize {
    let mut cutter = Cutter::default();
    cutter.push(packing, bytes, None);
    let is_sane = |piece: &&Piece| piece.content.as_ref().is_ok_and(|frame| gist::is_message(frame));
    cutter.pieces.iter().take_while(is_sane).count()
}

/// Cuts the bytes of a direction into frames.
#[derive(Clone, Debug, Default)]
struct Cutter {
    unpacker: Unpacker,
    splitter: Splitter,
    is_packed: bool,
    pieces: Vec<Piece>,
    /// Unpacked bytes before the next frame.
    byte: u64,
    empty: usize,
    /// Whether the rest is left out.
    is_over: bool,
}

impl Cutter {
    fn push(&mut self, packing: Packing, bytes: &[u8], tick: Option<Tick>) {
        self.is_packed = packing == Packing::Packed;
        if !self.is_packed {
            self.split(bytes, tick);
            return;
        }
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let mut unpacked = Vec::new();
            self.unpacker.push(chunk, &mut unpacked);
            self.split(&unpacked, tick);
            self.unpacker.forget(self.byte);
        }
    }

    fn split(&mut self, bytes: &[u8], tick: Option<Tick>) {
        if self.is_over {
            return;
        }
        self.splitter.push(bytes);
        while let Some(piece) = self.splitter.next_piece() {
            let (len, content) = match piece {
                decoder::Piece::Whole(bytes) => (bytes.len(), Ok(bytes.to_vec())),
                decoder::Piece::Garbled { bytes, reason } => (0, Err(Torn::Garbled { bytes, reason })),
            };
            self.is_over = content.is_err();
            // A segment table and nothing else.
            self.empty += usize::from(len == 8);
            let packed_byte = self.is_packed.then(|| self.unpacker.packed_place(self.byte));
            self.pieces.push(Piece { byte: self.byte, packed_byte, tick, content });
            self.byte += len as u64;
            let reason = if self.empty == MAX_EMPTY {
                format!("{MAX_EMPTY} messages were empty")
            } else if self.pieces.len() == MAX_MESSAGES {
                format!("there are more than {MAX_MESSAGES} messages")
            } else {
                continue;
            };
            self.end(reason);
        }
    }

    /// Leaves out the rest.
    fn end(&mut self, reason: String) {
        self.is_over = true;
        self.splitter = Splitter::default();
        let packed_byte = self.is_packed.then(|| self.unpacker.packed_place(self.byte));
        let reason = format!("{reason}; the rest is left out");
        let content = Err(Torn::Garbled { bytes: 0, reason });
        self.pieces.push(Piece { byte: self.byte, packed_byte, tick: None, content });
    }

    fn finish(mut self, lost: Option<String>) -> Vec<Piece> {
        let pending_bytes = self.splitter.pending_bytes();
        let packed_byte = self.is_packed.then(|| self.unpacker.packed_place(self.byte));
        let is_torn = pending_bytes > 0 || (self.is_packed && !self.unpacker.is_between_words());
        let content = match lost {
            _ if self.is_over => return self.pieces,
            Some(reason) => Err(Torn::Garbled { bytes: 0, reason }),
            None if is_torn => Err(Torn::Ended { pending_bytes }),
            None => return self.pieces,
        };
        self.pieces.push(Piece { byte: self.byte, packed_byte, tick: None, content });
        self.pieces
    }
}
