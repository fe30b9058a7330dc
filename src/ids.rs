//! Ids: small integers in order of birth, with a separate count for each kind.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// This id as an index into a table that is filled in order of birth.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A vat or a cell, which has turns of its own.
    ActorId "a";
    /// One direction of bytes.
    PipeId "p";
    /// Two pipes that join a cell to its host, or two vats.
    LinkId "l";
    /// One inbound call whose answer waits to be released. Calls that the host makes, operations of fake I/O and
    /// draws are numbered together with them.
    GateId "g";
}
