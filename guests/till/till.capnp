@0xd2c1f0a86b7e4935;
# The schema of the example guest: what a shop and its till ask each other.

interface Shop {
  # The bootstrap capability of the host.

  price @0 (item :Text) -> (cents :UInt32);
  # Returns the price of an item.

  closed @1 () -> ();
  # Returns when the shop has closed.
}

interface Till {
  # The bootstrap capability of the guest.

  total @0 (items :List(Text)) -> (cents :UInt64);
  # Returns the sum of the prices of these items, which the till asks its shop for.
}
