//! What the strings of a store take, as an account that every piece of memory is charged to.
//!
//! Invariant: what is charged never exceeds the limit, and each charge is given back exactly once,
//! when the memory it stands for is freed, whoever frees it and wherever.

use selkie_module::TrapCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The account of a store. Relaxed operations suffice: it counts bytes and orders nothing.
#[derive(Debug)]
pub(crate) struct Account {
    used_bytes: AtomicU64,
    limit_bytes: AtomicU64,
}

impl Default for Account {
    fn default() -> Account {
        Account { used_bytes: AtomicU64::new(0), limit_bytes: AtomicU64::new(u64::MAX) }
    }
}

impl Account {
    /// Bytes that are charged now.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Sets what may be charged from now on.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Charges memory that is about to be taken; [`TrapCode::AllocationTooLarge`] beyond the limit.
    pub(crate) fn charge(self: &Arc<Account>, bytes: u64) -> Result<Charge, TrapCode> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|_| TrapCode::AllocationTooLarge)?;
        Ok(Charge { account: self.clone(), bytes })
    }
}

/// Memory that is charged until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: u64,
}

impl Charge {
    /// A part of it, to be given back on its own.
    pub(crate) fn split(&mut self, bytes: u64) -> Charge {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Charge { account: self.account.clone(), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_is_given_back_once_and_never_exceeds_the_limit() {
        let account = Arc::new(Account::default());
        account.set_limit(100);
        let mut charge = account.charge(60).expect("it fits");
        assert_eq!(account.charge(41).err(), Some(TrapCode::AllocationTooLarge));
        assert_eq!(account.charge(u64::MAX).err(), Some(TrapCode::AllocationTooLarge));
        let part = charge.split(25);
        assert_eq!(account.used_bytes(), 60);
        drop(charge);
        assert_eq!(account.used_bytes(), 25);
        drop(part);
        assert_eq!(account.used_bytes(), 0);
    }

    #[test]
    fn a_limit_below_what_is_used_refuses_more_and_nothing_else() {
        let account = Arc::new(Account::default());
        let charge = account.charge(60).expect("there is no limit yet");
        account.set_limit(10);
        assert!(account.charge(1).is_err());
        drop(charge);
        assert!(account.charge(10).is_ok());
    }
}
