//! A session that was captured anywhere: the bytes of both directions of one connection, or of one alone.
//!
//! [`decode_session`] gives the text for a snapshot. A [`Session`] tells more: where each message begins, when it came
//! if the capture has times, all its fields as on the wire, and the place of whatever cannot be right.
//!
//! **Packing.** A stream may be packed. If nobody says so, the first messages decide: they are read both ways, and the
//! way that gives more messages wins. A direction that is too short to tell is taken to be like the other.
//!
//! **Order.** Captured streams have no common order, unless each piece came with a tick of one clock, as the packets of
//! a network capture do. Without ticks the order is by causality; the page about captures in the book describes it.
//!
//! Not here: files, and the packets of a network. Nothing here fails or panics: bytes that make no sense become entries
//! that say so.

mod extras;
mod gist;
mod order;
mod stream;

use std::fmt;
use std::sync::Arc;

use crate::check::{Fault, first_fault};
use crate::decoder::{Decoder, read_message};
use crate::frames::{Direction, Frame, Message, Value};
use crate::schema::Schema;
use stream::{Stream, Torn};

/// Whether the bytes of a direction are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Frames follow each other as they are.
    Unpacked,
    /// Frames are packed: <https://capnproto.org/encoding.html#packing>.
    Packed,
}

/// How a session is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the side that sends [upwards](Direction::Up).
    pub client: String,
    /// The name of the other side.
    pub server: String,
    /// The packing of both directions; `None` to detect it.
    pub packing: Option<Packing>,
    /// Whether values are kept [whole](Decoder::whole).
    pub is_whole: bool,
}

/// The moment when bytes were captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// Its place among all ticks of the session.
    pub number: u64,
    /// Its time in nanoseconds, from a start that the capture chose.
    pub ns: u64,
}

/// A session that is being captured.
#[derive(Clone, Debug)]
pub struct Session {
    schema: Arc<Schema>,
    options: Options,
    up: Stream,
    down: Stream,
}

/// A session, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The side that sends upwards.
    pub client: Side,
    /// The other side.
    pub server: Side,
    /// The reason for the order of the entries.
    pub order: Order,
    /// The messages of both sides, and what cannot be read.
    pub entries: Vec<Entry>,
}

/// What one side sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// The bytes that were captured.
    pub bytes: u64,
    /// Whether they are packed.
    pub packing: Packing,
    /// Whether the packing was detected.
    pub is_detected: bool,
    /// The number of messages.
    pub messages: u64,
}

/// The reason for the order of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Only one direction was captured.
    OneDirection,
    /// The capture says which bytes came first.
    Captured,
    /// A message follows those that must have come before it.
    Causal,
}

/// A message, or something that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The byte at which it begins, counted from 0 among the bytes of its direction, as unpacked.
    pub byte: u64,
    /// The byte of a packed direction at which the tag of its first word stands.
    pub packed_byte: Option<u64>,
    /// The moment of its last byte, if the capture tells.
    pub tick: Option<Tick>,
    /// The message with the names of the schema. It is [`Message::Garbled`] if it cannot be read, and
    /// [`Message::Closed`] if the capture ends inside it.
    pub frame: Frame,
    /// All fields of the message as on the wire, by the protocol's own schema; `None` for what is no message.
    pub fields: Option<Value>,
    /// The first pointer of the message that cannot be right, whether a field was read there or not.
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self { client: "client".to_owned(), server: "server".to_owned(), packing: None, is_whole: false }
    }
}

/// The messages of a captured session as text, one per line, for a snapshot: without bytes and times, by causality.
/// Either direction may be empty. Packed streams are recognised.
///
/// ```
/// use wavetank_trace::{Schema, decode_session};
///
/// // A Bootstrap that asks question 3, and nothing else.
/// let mut client = vec![0, 0, 0, 0, 5, 0, 0, 0];
/// for word in [0x0001_0001_0000_0000_u64, 8, 0x0001_0001_0000_0000, 3, 0] {
///     client.extend(word.to_le_bytes());
/// }
/// assert_eq!(decode_session(&Schema::default(), &client, &[]), "→ bootstrap  q1\n");
/// ```
#[must_use]
pub fn decode_session(schema: &Schema, client: &[u8], server: &[u8]) -> String {
    let mut session = Session::new(Arc::new(schema.clone()), Options::default());
    session.push(Direction::Up, client);
    session.push(Direction::Down, server);
    session.finish().entries.iter().map(|entry| format!("{entry}\n")).collect()
}

impl Session {
    /// A session of which nothing was captured yet.
    #[must_use]
    pub fn new(schema: Arc<Schema>, options: Options) -> Self {
        let stream = Stream::new(options.packing);
        Self { schema, options, up: stream.clone(), down: stream }
    }

    /// Takes the next bytes of a direction. The result does not depend on how the bytes are cut.
    pub fn push(&mut self, direction: Direction, bytes: &[u8]) {
        self.stream(direction).push(bytes, None);
    }

    /// Takes the next bytes of a direction, and the moment at which they came. If all bytes come with their moments,
    /// these give the order of the messages.
    pub fn push_at(&mut self, direction: Direction, tick: Tick, bytes: &[u8]) {
        self.stream(direction).push(bytes, Some(tick));
    }

    /// Ends a direction early, because the capture lacks its next bytes. Further bytes of it are left out: nothing
    /// tells where the next message begins.
    pub fn lose(&mut self, direction: Direction, reason: impl Into<String>) {
        self.stream(direction).lose(reason.into());
    }

    /// Decodes what was captured.
    #[must_use]
    pub fn finish(self) -> Decoded {
        let Self { schema, options, mut up, mut down } = self;
        up.decide();
        down.decide();
        // A direction that does not tell is like the other.
        let default = up.packing().or(down.packing()).unwrap_or(Packing::Unpacked);
        let (up_pieces, up) = up.finish(default);
        let (down_pieces, down) = down.finish(default);
        let is_captured =
            up_pieces.iter().chain(&down_pieces).all(|piece| piece.tick.is_some() || piece.is_end());
        let order = match (up.bytes, down.bytes) {
            (0, _) | (_, 0) => Order::OneDirection,
            _ if is_captured => Order::Captured,
            _ => Order::Causal,
        };
        let merged = match order {
            Order::Captured => order::by_tick(up_pieces, down_pieces),
            Order::OneDirection | Order::Causal => order::by_cause(up_pieces, down_pieces),
        };
        let mut decoder = Decoder::between(&options.client, &options.server, schema);
        if options.is_whole {
            decoder = decoder.whole();
        }
        let entries = merged.into_iter().map(|(direction, piece)| entry(&mut decoder, direction, piece));
        let side = |name: &str, counts: stream::Counts| Side {
            name: name.to_owned(),
            bytes: counts.bytes,
            packing: counts.packing,
            is_detected: options.packing.is_none(),
            messages: counts.messages,
        };
        Decoded {
            entries: entries.collect(),
            client: side(&options.client, up),
            server: side(&options.server, down),
            order,
        }
    }

    fn stream(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

/// Reads one piece of a direction.
fn entry(decoder: &mut Decoder, direction: Direction, piece: stream::Piece) -> Entry {
    let stream::Piece { byte, packed_byte, tick, content } = piece;
    let whole = match content {
        Ok(bytes) => bytes,
        Err(torn) => {
            let (bytes, message) = match torn {
                Torn::Garbled { bytes, reason } => (bytes, Message::Garbled(reason)),
                Torn::Ended { pending_bytes } => (0, Message::Closed { pending_bytes }),
            };
            let frame = Frame { direction, bytes, message };
            return Entry { byte, packed_byte, tick, frame, fields: None, fault: None };
        }
    };
    let mut frames = decoder.push(direction, &whole);
    let mut frame = frames.pop().unwrap_or_else(|| {
        let message = Message::Garbled("it is no whole frame".to_owned());
        Frame { direction, bytes: whole.len(), message }
    });
    let fields = read_message(&whole, &frame.message);
    let fault = first_fault(&whole);
    if fault.is_none() && matches!(frame.message, Message::Garbled(_)) && extras::is_newer(&fields) {
        frame.message = Message::Other("message with a part of an unknown kind".to_owned());
    }
    Entry { byte, packed_byte, tick, frame, fields: Some(fields), fault }
}

impl Entry {
    /// Whether this is something that cannot be read as it should.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        let is_no_message = matches!(self.frame.message, Message::Garbled(_) | Message::Closed { .. });
        is_no_message || self.fault.is_some() || self.fields.as_ref().is_some_and(extras::is_malformed)
    }
}

/// One line: the frame, then the fields that a frame's own line leaves out, then the place of a fault.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.frame.direction;
        match &self.frame.message {
            Message::Closed { pending_bytes } => {
                write!(
                    f,
                    "{direction} ends       inside a message that begins at byte {}, after {pending_bytes} bytes of it",
                    self.byte
                )?;
            }
            Message::Garbled(reason) => {
                write!(f, "{direction} garbled    at byte {}: {reason}", self.place_of_fault())?;
            }
            _ => write!(f, "{}", self.frame)?,
        }
        if let Some(fields) = &self.fields {
            for extra in extras::of(&self.frame.message, fields) {
                write!(f, ", {extra}")?;
            }
        }
        match (&self.fault, &self.frame.message) {
            (Some(fault), Message::Garbled(_)) => write!(f, " ({})", fault.reason),
            (Some(fault), _) => write!(f, ", malformed at byte {}: {}", self.place_of_fault(), fault.reason),
            (None, _) => Ok(()),
        }
    }
}

impl Entry {
    /// The byte of the direction, as unpacked, at which the fault stands, or at which the entry begins.
    #[must_use]
    pub fn place_of_fault(&self) -> u64 {
        self.byte + self.fault.as_ref().map_or(0, |fault| fault.at as u64)
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unpacked => "not packed",
            Self::Packed => "packed",
        })
    }
}
