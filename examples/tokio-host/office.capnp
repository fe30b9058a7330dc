@0xd3f1c9a86b5e2471;

# Sells the seats of one evening.
interface BoxOffice {
  # Holds some seats for a while. Fails if fewer are left.
  reserve @0 (seats :UInt32) -> (hold :Hold);

  # The number of seats that are neither held nor sold.
  left @1 () -> (seats :UInt32);
}

# Seats that are held for somebody. They are free again if the hold is dropped, or not used in time.
interface Hold {
  buy @0 ();
}
