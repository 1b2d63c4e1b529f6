//! Strings of JavaScript for modules that import them (proposal js-string-builtins): a type of host
//! data, the functions of `wasm:js-string` on it, and strings that are imported as constants.

mod account;
mod rope;
mod text;
mod units;
