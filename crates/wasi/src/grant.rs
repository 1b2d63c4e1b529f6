//! Grants: what the embedder allows in a directory it hands to a guest.
//!
//! A grant sticks to everything opened through the directory. It stands apart from
//! the rights of preview 1, and says "no" as a file system mounted read-only does:
//! with `rofs`. Nothing leaves a grant for a wider one: an entry cannot be linked or
//! moved from a directory whose files may not be written to one where they may.

use crate::errno::Errno;
use std::ops::{BitOr, BitOrAssign};

macro_rules! permissions {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(u8);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: $name = $name($bit);)*

            /// No permission.
            pub const fn empty() -> $name {
                $name(0)
            }

            /// Every permission.
            pub const fn all() -> $name {
                $name(0 $(| $bit)*)
            }

            /// Whether every permission of `other` is among these.
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl BitOr for $name {
            type Output = $name;
            fn bitor(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }

        impl BitOrAssign for $name {
            fn bitor_assign(&mut self, other: $name) {
                self.0 |= other.0;
            }
        }
    };
}

permissions! {
    /// What may be done with directories.
    DirPerms {
        /// Entries may be listed, looked at and opened.
        READ = 1;
        /// Entries may be created, removed and renamed.
        MUTATE = 2;
    }
}

permissions! {
    /// What may be done with files.
    FilePerms {
        /// Files may be read.
        READ = 1;
        /// Files may be written, and their times and sizes set.
        WRITE = 2;
    }
}

/// Both together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) dir: DirPerms,
    pub(crate) file: FilePerms,
}

impl Grant {
    /// For what is no file in a directory: nothing is withheld.
    pub(crate) const FULL: Grant = Grant { dir: DirPerms::all(), file: FilePerms::all() };

    /// Fails unless entries may be looked at.
    pub(crate) fn may_look(self) -> Result<(), Errno> {
        if self.dir.contains(DirPerms::READ) { Ok(()) } else { Err(Errno::PERM) }
    }

    /// Fails unless entries may be created, removed and renamed.
    pub(crate) fn may_mutate(self) -> Result<(), Errno> {
        if self.dir.contains(DirPerms::MUTATE) { Ok(()) } else { Err(Errno::ROFS) }
    }

    /// Fails unless files may be read.
    pub(crate) fn may_read_files(self) -> Result<(), Errno> {
        if self.file.contains(FilePerms::READ) { Ok(()) } else { Err(Errno::PERM) }
    }

    /// Fails unless files may be written.
    pub(crate) fn may_write_files(self) -> Result<(), Errno> {
        if self.file.contains(FilePerms::WRITE) { Ok(()) } else { Err(Errno::ROFS) }
    }

    /// Fails if an entry would gain permissions by going to `other`. As between two
    /// file systems that is `xdev`, and programs know to copy instead.
    pub(crate) fn may_hand_to(self, other: Grant) -> Result<(), Errno> {
        let widens = !self.dir.contains(other.dir) || !self.file.contains(other.file);
        if widens { Err(Errno::XDEV) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_never_goes_where_more_is_allowed() {
        let narrow = Grant { dir: DirPerms::all(), file: FilePerms::READ };
        assert_eq!(narrow.may_hand_to(Grant::FULL), Err(Errno::XDEV));
        assert_eq!(Grant::FULL.may_hand_to(narrow), Ok(()));
        assert_eq!(narrow.may_hand_to(narrow), Ok(()));
    }

    #[test]
    fn permissions_combine() {
        assert_eq!(DirPerms::READ | DirPerms::MUTATE, DirPerms::all());
        assert!(!DirPerms::empty().contains(DirPerms::READ));
    }
}
