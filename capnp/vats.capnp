@0xd1f0c5b8a9e37642;
# The calls that the native vats of the scenario `vats` make on each other: every legal thing that RPC can carry.

interface Node {
  # An object of a vat. Each call names the reference on which it was made, and its number among the calls there.

  call @0 (on :On) -> ();
  # Answers at once.

  push @1 (on :On, slow :Bool, data :Data) -> stream;
  # One piece of a stream. If it is slow, it is answered when a later operation says so.

  hold @2 (on :On) -> ();
  # Answers when a later operation says so.

  throw @3 (on :On) -> ();
  # Answers with an exception.

  take @4 (on :On, cap :Node) -> ();
  # Leaves a capability with the vat.

  swap @5 (on :On, cap :Node) -> (cap :Node);
  # Returns the capability that it was given.

  give @6 (on :On, what :What) -> (cap :Node);
  # Returns a capability of the kind that `what` names.

  early @7 (on :On) -> (cap :Node);
  # Shows its result to the pipeline at once, but answers only when a later operation says so.

  tail @8 (on :On, cap :Node) -> (cap :Node);
  # Leaves its answer to another object, by a tail call of `give` on the capability.

  rewrite @9 (on :On, cap :Node) -> (cap :Node);
  # Sets its result twice.

  struct On {
    reference @0 :UInt32;
    number @1 :UInt32;
    operation @2 :UInt32;
  }

  enum What {
    own @0;
    # The vat's root.
    fresh @1;
    # A new object.
    held @2;
    # The youngest reference that the vat holds: promised, resolved, or the asker's own.
    promise @3;
    # A promise that a later operation resolves.
  }
}
