@0xa88dd8ffbcc83c85;
# The calls that a guest can make on the host that it runs in.

interface Host {
  # One host. The first guest, pid0, gets it as its bootstrap capability.

  id @0 () -> (peerId :Text);
  # The host's own name in the world.

  addrs @1 () -> (addrs :List(Text));
  # The addresses at which others reach this host.

  peers @2 () -> (peers :List(Peer));
  # The other hosts of the world.

  connect @3 (peerId :Text, addrs :List(Text)) -> ();
  # Succeeds if `peerId` is one of the peers and one of `addrs` is listed for it. Otherwise an exception says
  # which of the two was wrong.

  executor @4 () -> (executor :Executor);
  # Returns an Executor that starts children of the calling cell.

  struct Peer {
    peerId @0 :Text;
    addrs @1 :List(Text);
  }
}

interface Executor {
  # Starts cells. They are children of the cell that was given this executor. A child's bootstrap capability is
  # an Executor of its own.

  runBytes @0 (wasm :Data, args :List(Text), env :List(Text), detached :Bool) -> (process :Process);
  # Starts a component from its bytes. `env` holds `NAME=value`. A detached child outlives its parent. If the
  # bytes are not a component, if it imports something that does not exist, or if a limit is exceeded, an
  # exception gives the reason.

  echo @1 (message :Text) -> (response :Text);
  # Answers `Echo: ` and the message.
}

interface Process {
  # A started cell. Dropping this capability does not end the cell.

  stdin @0 () -> (stream :ByteStream);
  stdout @1 () -> (stream :ByteStream);
  stderr @2 () -> (stream :ByteStream);
  # The cell's stdio. If stdin and stdout carry the cell's RPC, these two calls throw an exception that says so. The
  # bytes that the cell writes to stdout and stderr are kept for a later reader up to a bound; then the oldest bytes go.
  # As long as somebody holds a stream that was asked for here, no bytes are lost, and the cell waits for its reader
  # instead. stdin ends when it is closed, or when nobody holds the process or its stdin any more.

  wait @3 () -> (exitCode :Int32);
  # Answers when the cell has ended and been cleaned up. The answer is its exit code, which is 134 after a trap
  # and 137 after a kill. Any number of callers may wait.

  bootstrap @4 () -> (cap :AnyPointer);
  # The capability that the guest exports over its own link.

  kill @5 () -> ();
  # Ends the cell with exit code 137 and returns when it has ended. A cell that has ended keeps its code.
}

interface ByteStream {
  # One direction of bytes. Reads, writes and closes never wait for one another.

  read @0 (maxBytes :UInt32) -> (data :Data);
  # Returns at least one byte and at most `maxBytes`. It returns no bytes at the end of the stream, and only there. The
  # host limits an answer to 64 KiB, however many bytes are asked for. To ask for 0 bytes is an error.

  write @1 (data :Data) -> ();
  # Returns when all of `data` has been accepted.

  close @2 () -> ();
  # Ends the stream. If a writer closes it, its reader meets the end after the written bytes. If a reader
  # closes it, its writer is told that nobody reads any more.
}
