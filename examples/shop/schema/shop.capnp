@0xb1c6f4d2a8e07359;
# What a shop, its customers and its suppliers ask each other.

struct Item {
  name @0 :Text;
  count @1 :UInt32 = 1;
}

struct Receipt {
  id @0 :UInt64;
  item @1 :Item;
  cents @2 :UInt64;
}

interface Shop {
  # The bootstrap capability of the shop.

  price @0 (item :Text) -> (cents :UInt32);
  # Returns what one piece costs.

  stock @1 (item :Text) -> (count :UInt32);
  # Returns how many pieces are on the shelf.

  buy @2 (item :Item, wallet :Wallet) -> (receipt :Receipt);
  # Sells some pieces. The wallet is asked for the money first.

  deliver @3 () -> (delivery :Feed(Item));
  # Takes a delivery. It counts when it is done: if it breaks off, the shelf is as before.

  receipts @4 (feed :Feed(Receipt)) -> (count :UInt32);
  # Sends a copy of each receipt so far, and returns how many there were.
}

interface Wallet {
  # A customer's money.

  pay @0 (cents :UInt64) -> ();
  # Pays, or fails.
}

interface Feed(T) {
  # Takes values one after the other, as fast as they can be taken.

  push @0 (value :T) -> stream;

  done @1 () -> (count :UInt32);
  # Ends the feed, and returns how many values came.
}
