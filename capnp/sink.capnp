@0xe2b4a1f07c5d9863;
# The calls of the tests of streaming: a schema that belongs to a user, so no oracle knows it.

interface Source {
  # The bootstrap capability of a guest in these tests.

  sink @0 () -> (sink :Sink);
  # Returns a sink, always the same one.
}

interface Sink {
  # Takes a stream of numbers.

  push @0 (number :UInt32) -> stream;
  # One number of the stream.

  done @1 () -> (total :UInt32);
  # Returns how many numbers came.

  note @2 (number :UInt32) -> ();
  # Takes a number that is not part of the stream, so its caller can wait for the answer.
}
