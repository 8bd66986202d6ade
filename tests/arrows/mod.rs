//! The arrows of the house: which crate may use which, what each must not touch, and that the files of
//! a crate stand above each other.

mod circles;
mod crates;
mod files;
mod house;
mod made_up;
mod mentions;
mod sources;

pub(crate) use crates::{packages, uses};
