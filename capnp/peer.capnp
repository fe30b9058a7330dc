@0xa88dd8ffbcc83c85;
# What a guest can ask of the host it runs in.

interface Host {
  # One host. The first guest, pid0, gets it as its bootstrap capability.

  id @0 () -> (peerId :Text);
  # The host's own name in the world.

  addrs @1 () -> (addrs :List(Text));
  # The addresses at which others reach it.

  peers @2 () -> (peers :List(Peer));
  # The world's other hosts.

  connect @3 (peerId :Text, addrs :List(Text)) -> ();
  # Succeeds where `peerId` is one of the peers and one of `addrs` is listed for it; otherwise an exception
  # says which of the two was wrong.

  executor @4 () -> (executor :Executor);
  # Starts children of the cell that asks.

  struct Peer {
    peerId @0 :Text;
    addrs @1 :List(Text);
  }
}

interface Executor {
  # Starts cells that are children of the cell this executor was given to. A child's bootstrap capability is
  # an Executor of its own.

  runBytes @0 (wasm :Data, args :List(Text), env :List(Text), detached :Bool) -> (process :Process);
  # Starts a component from its bytes. `env` holds `NAME=value`. A detached child outlives its parent.
  # An exception names the reason where the bytes are no component, where it imports what is not there, and
  # where a limit is passed.

  echo @1 (message :Text) -> (response :Text);
  # Answers `Echo: ` and the message.
}

interface Process {
  # A started cell. Dropping this capability does not end the cell.

  stdin @0 () -> (stream :ByteStream);
  stdout @1 () -> (stream :ByteStream);
  stderr @2 () -> (stream :ByteStream);
  # The cell's stdio. Where stdin and stdout carry the cell's RPC they throw an exception that says so.
  # What the cell writes to stdout and stderr is kept for a later reader up to a bound, then the oldest bytes
  # go. As long as somebody holds a stream that was asked for here, nothing is lost and the cell waits for its
  # reader instead. stdin ends when it is closed, or when nobody holds the process or its stdin any more.

  wait @3 () -> (exitCode :Int32);
  # Answers when the cell has ended and been cleaned up: the code it exited with, 134 after a trap, 137 after
  # a kill. Any number of callers may wait.

  bootstrap @4 () -> (cap :AnyPointer);
  # The capability that the guest exports over its own link.

  kill @5 () -> ();
  # Ends the cell with exit code 137 and returns when it has ended. A cell that has ended keeps its code.
}

interface ByteStream {
  # One direction of bytes. Reading, writing and closing never wait for one another.

  read @0 (maxBytes :UInt32) -> (data :Data);
  # At least one byte and at most `maxBytes`, or empty at the end of the stream and only there. The host
  # bounds an answer at 64 KiB whatever is asked. Asking for 0 bytes is an error.

  write @1 (data :Data) -> ();
  # Returns when all of `data` has been accepted.

  close @2 () -> ();
  # Ends the stream: a writer's reader meets the end after what was written, a reader's writer is told that
  # nobody reads any more.
}
