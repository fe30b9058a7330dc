//! A guest made from the text of `wit/` and stock wit-bindgen, without any of this repository's guest runtime.
//!
//! It opens its connection and makes one call, `Host.id`, with frames written by hand: bootstrap, the call on
//! the bootstrap's promised answer, and a Finish for each answer that needs one.

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn)]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "wetware:streams/guest",
        generate_all,
    });
}

// Named with its version, because the folder holds two versions.
use bindings::wasi::io0_2_9::streams::{InputStream, OutputStream, StreamError};
use bindings::wetware::streams::streams::create_connection;

/// A pointer to the struct right behind it, with the sizes of that struct: words of data and number of pointers.
const fn pointer(data: u64, pointers: u64) -> u64 {
    data << 32 | pointers << 48
}

/// The id of the interface `Host` in capnp/peer.capnp; `id` is its method 0.
const HOST: u64 = 0x9bb7_9329_809e_d5d0;

/// Bootstrap, as question 0. Each frame begins with its segment table: one segment, and its length in words.
const BOOTSTRAP: [u64; 6] = [5 << 32, pointer(1, 1), 8, pointer(1, 1), 0, 0];

/// A Call, as question 1, on the answer to question 0. The first two pointers of the Call lead to its target
/// and to its parameters, which are empty. The target's pointer leads to a PromisedAnswer.
const CALL: [u64; 16] = [
    15 << 32,
    pointer(1, 1),
    2,
    pointer(3, 3),
    1,
    HOST,
    0,
    // The target begins right behind these three pointers. Offsets count from the end of a pointer.
    pointer(1, 1) | 2 << 2,
    pointer(0, 2) | 5 << 2,
    0,
    // The target: a promised answer.
    1 << 32,
    pointer(1, 1),
    0,
    0,
    // The parameters: neither content nor capabilities.
    0,
    0,
];

/// A Finish of a question. It releases all capabilities in the answer.
const fn finish(question: u64) -> [u64; 5] {
    [4 << 32, pointer(1, 1), 4, pointer(1, 0), question]
}

fn main() {
    let connection = create_connection();
    let input = connection.get_input_stream();
    let output = connection.get_output_stream();
    write_all(&output, &BOOTSTRAP);
    write_all(&output, &CALL);
    let mut frames = Frames { input: &input, bytes: Vec::new() };
    for _ in 0..2 {
        let answer = frames.next();
        assert_eq!(answer[MESSAGE_KIND], RETURN, "the host answers");
        if answer[RETURN_FLAGS] & NO_FINISH_NEEDED == 0 {
            write_all(&output, &finish(answer[RETURN_QUESTION].into()));
        }
    }
    println!("two answers");
}

/// The kind of message that answers a question.
const RETURN: u8 = 3;

/// A flag of a Return: the question is already finished.
const NO_FINISH_NEEDED: u8 = 2;

// The byte offsets of these fields in the first segment of an answer, in which the structs follow one another.
// Their values are small enough that the first byte holds them.
const MESSAGE_KIND: usize = 8;
const RETURN_QUESTION: usize = 24;
const RETURN_FLAGS: usize = 28;

/// Reads whole frames from an input.
struct Frames<'a> {
    input: &'a InputStream,
    bytes: Vec<u8>,
}

impl Frames<'_> {
    /// The segments of the next frame, without their table. The table holds the number of segments less one,
    /// then the words of each segment, in four bytes each, padded to a word.
    fn next(&mut self) -> Vec<u8> {
        self.fill(4);
        let segments = self.word32(0) as usize + 1;
        let table_bytes = (1 + segments).next_multiple_of(2) * 4;
        self.fill(table_bytes);
        let words: u32 = (1..=segments).map(|segment| self.word32(segment)).sum();
        let frame_bytes = table_bytes + 8 * words as usize;
        self.fill(frame_bytes);
        self.bytes.drain(..frame_bytes).skip(table_bytes).collect()
    }

    fn word32(&self, place: usize) -> u32 {
        let four = &self.bytes[4 * place..4 * place + 4];
        u32::from_le_bytes(four.try_into().expect("four bytes"))
    }

    fn fill(&mut self, wanted_bytes: usize) {
        while self.bytes.len() < wanted_bytes {
            match self.input.blocking_read(4096) {
                Ok(bytes) => self.bytes.extend(bytes),
                Err(StreamError::Closed) => panic!("the host closed the connection"),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn write_all(output: &OutputStream, words: &[u64]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    output.blocking_write_and_flush(&bytes).expect("the host reads");
}
