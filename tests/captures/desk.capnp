@0xc103697b4a9f5217;
# What the peers of this folder say to each other.

interface Desk {
  describe @0 (n :Int32, big :UInt64, note :Text, blob :Data, tags :List(Text), ratio :Float64)
      -> (text :Text, sum :Int64, half :Float32, yes :Bool);
  open @1 (name :Text) -> (drawer :Drawer);
  watch @2 (watcher :Watcher) -> (count :UInt32);
  fail @3 (why :Text) -> ();
}

interface Drawer {
  put @0 (item :Item) -> (items :List(Item));
}

interface Watcher {
  seen @0 (what :Text) -> (ok :Bool);
}

struct Item {
  id @0 :UInt16 = 7;
  name @1 :Text;
  colour @2 :Colour;
  union {
    none @3 :Void;
    weight @4 :Int8;
    parts @5 :List(Item);
  }
}

enum Colour {
  red @0;
  green @1;
  blue @2;
}
