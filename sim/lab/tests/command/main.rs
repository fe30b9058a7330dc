//! The command from the view of its users. One binary, because each takes long to link.

mod ci;
mod common;
mod hostile;
mod install;
mod keep;
mod output;
mod pages;
mod refused;
mod schemas;
mod sweeps;
