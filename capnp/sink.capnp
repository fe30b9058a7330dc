@0xe2b4a1f07c5d9863;
# What tests of streaming calls ask: a schema of a user's own, which no oracle knows.

interface Source {
  # Where a guest of these tests begins.

  sink @0 () -> (sink :Sink);
  # One sink, always the same.
}

interface Sink {
  # Takes a stream of numbers.

  push @0 (number :UInt32) -> stream;
  # One number.

  done @1 () -> (total :UInt32);
  # How many numbers came.

  note @2 (number :UInt32) -> ();
  # A number that is not part of the stream: its caller can wait for it.
}
