//! The command from the view of its users. One binary, because each takes long to link.

mod captures;
mod ci;
mod common;
mod hostile;
mod install;
mod keep;
mod output;
mod own;
mod pack;
mod pages;
mod refused;
mod schemas;
mod shards;
mod sweeps;
