//! Named, tiny system calls.
//!
//! What the other crates want from the kernel has a name here: memory that is neither swapped nor dumped
//! ([`LockedBytes`]), files that only this user reads ([`read_private`], [`create_private`], [`replace_private`]), one process per directory
//! ([`lock_file_exclusive`]), a process that cannot be looked into ([`harden_process`]), shows no secret
//! among its arguments ([`blot_out_argument`]) and may have
//! as many connections as the system allows ([`raise_open_files`]), and
//! a bound on the memory of one thread ([`Allowance`]), an allocator that gives large blocks back
//! ([`give_back_large_blocks`]), how much room a disk has ([`room`]). `unsafe` lives in the modules of [`LockedBytes`] and
//! [`Allowance`] alone.

mod allowance;
mod arguments;
mod disk;
mod file;
mod lock;
mod memory;
mod process;
mod terminal;

pub use allowance::{Allowance, Bounded, give_back_large_blocks};
pub use arguments::{BlotError, blot_out_argument};
pub use disk::{Room, room, sync_file_system, try_writing};
pub use file::{
    PrivateFileError, check_private, create_private, open_regular, read_given_within, read_private,
    read_private_within, replace_private,
};
pub use lock::{
    FileLock, LockError, lock_file_exclusive, lock_file_in_turn, lock_file_shared, try_lock_file_shared,
};
pub use memory::{LockedBytes, MemoryError, Residence};
pub use process::{
    HardenError, available_cores, close_process, harden_process, own_user, process_cpu_time, raise_open_files,
};
pub use terminal::{TerminalError, ask_hidden};
