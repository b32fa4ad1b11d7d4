//! The parts of the help that differ by platform: places of files, names of devices, services. They are put into the help of a verb
//! when the program is compiled.

#[cfg_attr(unix, path = "help/unix.rs")]
#[cfg_attr(windows, path = "help/windows.rs")]
mod system;

pub(crate) use system::help_of;
