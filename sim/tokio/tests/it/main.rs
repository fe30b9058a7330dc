//! Servers that were written for tokio, in worlds.

mod bugs;
mod draws;
mod order;
mod outside;
mod support;
mod tasks;
mod time;
