//! What the fuzz targets are made of: [`generate`] makes inputs from a seed, [`oracle`] says
//! whether an engine did right with them, [`campaign`] runs a target for a time and keeps what
//! it finds. [`graphs`] are programs over objects with their answers, [`exceptions`] programs that
//! throw and catch with a model of them, [`continuations`] programs that suspend; [`fuel`] compares what modules consume,
//! [`everything`] what modules of every proposal do; [`embedding`] does anything to stores and instances.
//!
//! Invariant: an input depends on its seed alone, so that a finding can be made again by its
//! number. Nothing here is guided by coverage; the generators are.

pub mod campaign;
pub mod continuations;
pub mod embedding;
pub mod everything;
pub mod exceptions;
pub mod fuel;
pub mod generate;
pub mod graphs;
pub mod oracle;
