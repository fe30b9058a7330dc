//! G15: one read is assumed to return a whole header.
//!
//! Frames come on stdin: 8 bytes of length, little endian, then that many bytes of the running pattern. The reader asks
//! for 8 bytes and assumes that it got all of them. That holds as long as frames arrive whole. A stream may return
//! fewer, and then the rest of the header is read as a body and everything after it is garbled.
//!
//! Mended: the guest reads until it has all the bytes that it asked for.

use std::process::ExitCode;

use peer::pattern;
use wasip2::{
    cli::stdin::get_stdin,
    io::streams::{InputStream, StreamError},
};
use wavetank_guest::{Error, Result};

use crate::{Way, exit_code};

/// More bytes than any frame has.
const MAX_BYTES: u64 = 1_000_000;

pub fn main(way: Way) -> ExitCode {
    exit_code(frames(way))
}

fn frames(way: Way) -> Result<()> {
    let stdin = get_stdin();
    let mut frames = 0;
    loop {
        let mut header = [0; 8];
        match read(&stdin, &mut header, way)? {
            0 => break,
            8 => {}
            short if way == Way::Mended => {
                return Err(Error::guest(format!("a header of {short} bytes before the end")));
            }
            // The rest of the header stays 0, so a small length looks right.
            _ => {}
        }
        let body_bytes = u64::from_le_bytes(header);
        if body_bytes > MAX_BYTES {
            return Err(Error::guest(format!("a frame of {body_bytes} bytes")));
        }
        let mut body = vec![0; body_bytes as usize];
        let read_bytes = read(&stdin, &mut body, way)?;
        let mut check = pattern::Check::default();
        check.next(&body)?;
        check.end(read_bytes)?;
        frames += 1;
    }
    println!("{frames} frames");
    Ok(())
}

/// Fills the buffer and returns the number of bytes read, fewer only at the end. The buggy way reads once.
fn read(stdin: &InputStream, buf: &mut [u8], way: Way) -> Result<usize> {
    let mut filled_bytes = 0;
    while filled_bytes < buf.len() {
        let left = &mut buf[filled_bytes..];
        match stdin.blocking_read(left.len() as u64) {
            Ok(piece) => {
                left[..piece.len()].copy_from_slice(&piece);
                filled_bytes += piece.len();
            }
            Err(StreamError::Closed) => break,
            Err(error) => return Err(Error::guest(error.to_string())),
        }
        if way == Way::Buggy {
            break;
        }
    }
    Ok(filled_bytes)
}
