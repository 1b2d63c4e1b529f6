//! Continuations of a store: made here, run and ended by machine code and the runtime below.
//!
//! Each has a stack, which the collector gives back when nobody can resume it any longer. Since
//! objects that stand for continuations are small, their number alone would rarely make it look: it
//! is asked to when stacks have become many.

use crate::raw;
use crate::store::StoreInner;
use selkie_module::{TrapCode, TypeId};
use selkie_vm::{Collection, StartPlan, VMFuncRef};
use std::collections::HashMap;
use std::sync::Arc;

/// Stacks up to which nothing is collected for their sake.
const FEW_STACKS: usize = 512;

/// What a store knows of its continuations besides their stacks.
pub(crate) struct Continuations {
    /// How functions of a type are called.
    plans: HashMap<TypeId, Arc<StartPlan>>,
    /// Stacks at which the collector is asked for those that nobody can reach.
    due: usize,
}

impl Default for Continuations {
    fn default() -> Continuations {
        Continuations { plans: HashMap::new(), due: FEW_STACKS }
    }
}

impl StoreInner {
    /// A continuation that will call a function: its place in the runtime's list.
    pub(crate) fn new_continuation(&mut self, func: &VMFuncRef) -> Result<u32, TrapCode> {
        let plan = self.start_plan(TypeId(func.type_id));
        let needs_stack = !self.runtime.has_finished_continuation();
        if needs_stack && self.runtime.continuation_count() >= self.continuations.due {
            self.collect_continuations();
        }
        raw::new_continuation(self, func, &plan)
            .or_else(|| {
                self.collect_continuations();
                raw::new_continuation(self, func, &plan)
            })
            .ok_or(TrapCode::TooManyContinuations)
    }

    /// Lets go of the stacks of continuations that nobody can reach; about as many as are in use
    /// are kept for the next ones.
    fn collect_continuations(&mut self) {
        self.collect(Collection::Full);
        // Those that run count, too: where most do, collecting again soon would free nothing.
        let in_use = self.runtime.unfinished_continuation_count();
        raw::release_finished_continuations(self, in_use.max(FEW_STACKS / 2));
        self.continuations.due = (2 * in_use).max(FEW_STACKS);
    }

    fn start_plan(&mut self, ty: TypeId) -> Arc<StartPlan> {
        let engine = &self.engine;
        let make = || {
            let ty = engine.types().get(ty).as_func().cloned();
            Arc::new(StartPlan::new(&ty.unwrap_or_default()))
        };
        self.continuations.plans.entry(ty).or_insert_with(make).clone()
    }

    /// Tells the runtime how many stacks continuations may have.
    pub(crate) fn apply_continuation_limits(&mut self) {
        let stack_bytes = self.runtime.continuation_stack_bytes() as u64;
        let limit = self.limits.continuations.min(self.limits.continuation_bytes / stack_bytes);
        self.runtime.set_continuation_limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
}
