@0xb1f0cd1af2e5730c;
# A server that computes: capabilities in both directions, recursion, results that are capabilities.

interface Sums {
  evaluate @0 (expression :Expression) -> (number :Number);
  # Promises the number that an expression has.

  define @1 (parameters :Int32, body :Expression) -> (function :Function);
  operator @2 (operator :Operator) -> (function :Function);

  struct Expression {
    union {
      literal @0 :Float64;
      number @1 :Number;
      parameter @2 :UInt32;
      call :group {
        function @3 :Function;
        arguments @4 :List(Expression);
      }
    }
  }

  interface Number {
    read @0 () -> (value :Float64);
  }

  interface Function {
    call @0 (arguments :List(Float64)) -> (value :Float64);
  }

  enum Operator {
    add @0;
    subtract @1;
  }
}
