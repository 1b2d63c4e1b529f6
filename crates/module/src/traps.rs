//! Trap codes, with the words of the specification.
//!
//! Grammar of the table: `NAME = number, "message";`. The number is written into the site tables
//! of compiled code and into artifacts: it is never reused. 0 is no trap.

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $message:literal;)*) => {
        /// Why execution stopped (spec: exec/runtime, traps; the texts are the test suite's).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum TrapCode { $($(#[$doc])* $name = $number,)* }

        impl TrapCode {
            /// Every code, in table order.
            pub const ALL: &'static [TrapCode] = &[$(TrapCode::$name),*];

            /// The code with this number.
            pub fn from_number(number: u8) -> Option<TrapCode> {
                match number { $($number => Some(TrapCode::$name),)* _ => None }
            }

            /// The specification's words.
            pub fn message(self) -> &'static str {
                match self { $(TrapCode::$name => $message,)* }
            }
        }
    };
}

traps! {
    /// Stack exhausted at the configured limit.
    StackOverflow = 1, "call stack exhausted";
    /// A linear memory access outside its bounds.
    MemoryOutOfBounds = 2, "out of bounds memory access";
    /// An atomic access that is not naturally aligned.
    UnalignedAtomic = 3, "unaligned atomic";
    /// A table access outside its bounds.
    TableOutOfBounds = 4, "out of bounds table access";
    /// `call_indirect` through an index outside the table.
    UndefinedElement = 5, "undefined element";
    /// `call_indirect` through a null element.
    UninitializedElement = 6, "uninitialized element";
    /// `call_indirect` through an element of another type.
    IndirectCallTypeMismatch = 7, "indirect call type mismatch";
    /// Signed division overflow, or a float outside the integer's range.
    IntegerOverflow = 8, "integer overflow";
    /// Integer division by zero.
    IntegerDivideByZero = 9, "integer divide by zero";
    /// A NaN converted to an integer.
    InvalidConversionToInteger = 10, "invalid conversion to integer";
    /// `unreachable` was executed.
    Unreachable = 11, "unreachable";
    /// A null reference where a value is needed.
    NullReference = 12, "null reference";
    /// A call through a null function reference.
    NullFunctionReference = 13, "null function reference";
    /// An i31 operation on null.
    NullI31Reference = 14, "null i31 reference";
    /// A struct operation on null.
    NullStructReference = 15, "null structure reference";
    /// An array operation on null.
    NullArrayReference = 16, "null array reference";
    /// An array index outside the array.
    ArrayOutOfBounds = 17, "out of bounds array access";
    /// A failed cast.
    CastFailure = 18, "cast failure";
    /// `atomic.wait` on a memory that is not shared.
    ExpectedSharedMemory = 19, "expected shared memory";
    /// An allocation that the limits of the store do not allow.
    AllocationTooLarge = 20, "allocation size too large";
    /// The deadline or epoch was reached.
    Interrupt = 21, "interrupt";
    /// Fuel is used up.
    OutOfFuel = 22, "all fuel consumed";
    /// A table or memory could not be reached because the host ran out of memory.
    OutOfMemory = 23, "out of memory";
    /// A null exception reference thrown.
    NullExceptionReference = 24, "null exception reference";
    /// `unreachable` that compilation put behind a call that never returns.
    UnreachableAfterCall = 25, "unreachable code executed";
    /// A struct made, or a cast decided, by a null descriptor.
    NullDescriptorReference = 26, "null descriptor reference";
    /// A failed cast to what has a certain descriptor.
    DescriptorCastFailure = 27, "descriptor cast failure";
    /// A place in a string beyond its end.
    StringOutOfBounds = 30, "out of bounds string access";
    /// A number that is no code point.
    InvalidCodePoint = 31, "invalid code point";
    /// A `suspend` or `switch` whose tag no `resume` around it handles.
    UnhandledTag = 28, "unhandled tag";
    /// A continuation operation on null.
    NullContinuationReference = 29, "null continuation reference";
    /// A continuation that has been resumed, bound or switched to before.
    ContinuationConsumed = 32, "continuation already consumed";
    /// A new continuation beyond what the store's limits or the system allow.
    TooManyContinuations = 33, "too many continuations";
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for TrapCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_round_trips_through_its_number() {
        for &code in TrapCode::ALL {
            assert_eq!(TrapCode::from_number(code as u8), Some(code));
        }
        assert_eq!(TrapCode::from_number(0), None);
    }
}
