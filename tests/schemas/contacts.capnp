@0xd8b2a5f3c1e94a07;
# People and how to reach them: enums, unions, groups, lists and defaults.

const country :Text = "PT";
const maxPeople :UInt16 = 500;
const nobody :Person = (id = 0, name = "nobody");

enum PhoneKind {
  mobile @0;
  home @1;
  work @2;
}

struct Person {
  id @0 :UInt32;
  name @1 :Text;
  email @2 :Text = "none@example.org";
  phones @3 :List(Phone);
  employment :union {
    none @4 :Void;
    employer @5 :Text;
    school :group {
      name @6 :Text;
      year @7 :Int16 = -1;
    }
  }
  address :group {
    street @8 :Text;
    country @9 :Text = .country;
  }
  union {
    age @10 :UInt8 = 18;
    born @11 :Date = (year = 2000, month = 1, day = 1);
  }
  friend @12 :Person;
  weights @13 :List(Float32) = [1.5, -2];
  key @14 :Data = 0x"a0 33";
  isActive @15 :Bool = true;
  balance @16 :Int64 = -5;
  ratio @17 :Float64 = 0.25;
  favourite @18 :PhoneKind = home;
  flags @19 :List(Bool);
  notes @20 :List(List(Text));
  extra @21 :AnyPointer;
}

struct Phone {
  number @0 :Text;
  kind @1 :PhoneKind;
}

struct Date {
  year @0 :Int16;
  month @1 :UInt8;
  day @2 :UInt8;
}

interface Book {
  # The people that one party knows.

  find @0 (name :Text, country :Text = .country) -> (person :Person);
  store @1 (people :List(Person)) -> (count :UInt16);
}
