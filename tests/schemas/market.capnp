@0xf6b1e7a3d2c84519;
# Generics, inheritance and streaming.

struct Pair(First, Second) {
  first @0 :First;
  second @1 :Second;
  inner @2 :Inner;

  struct Inner {
    again @0 :First;
  }
}

struct Receipt {
  total @0 :UInt64;
  currency @1 :Text = "EUR";
}

interface Readable(T) {
  read @0 () -> (value :T);
}

interface Channel(T) extends(Readable(T)) {
  send @0 (value :T) -> stream;
  last @1 () -> (pair :Pair(T, Text));
}

interface Market {
  open @0 (name :Text) -> (channel :Channel(Receipt));
  ask @1 [T] (question :T) -> (answer :Text);
  anything @2 () -> (any :AnyPointer, cap :Capability, list :AnyList, struct :AnyStruct);
  trade @3 (with :Channel(Receipt)) -> ();
}
