//! A run of Cap'n Proto RPC parties as one HTML page that opens anywhere, and as diagrams for other viewers.
//!
//! [`model::Page`] is the data of a page. [`html`] makes the page, [`sweep()`] that of
//! many runs, [`mermaid`] a sequence diagram, [`perfetto`] a trace
//! for <https://ui.perfetto.dev>. Not here: how a simulator or a capture becomes such data.

mod html;
mod mermaid;
pub mod model;
mod perfetto;
mod sweep;

pub use html::html;
pub use mermaid::mermaid;
pub use perfetto::perfetto;
pub use sweep::sweep;
