//! Arithmetic on this machine's processor: the only place of the engine with `unsafe`.
//!
//! Kernels are written once, over [`simd::Simd`], and compiled for each instruction set; which one runs is decided at
//! run time by a proof that the processor has it ([`Isa`]). What is left unsafe is small: intrinsics that need such a
//! proof, output shared by threads that write different parts ([`shared`]), and the job that the pool's threads borrow.
#![expect(
    unsafe_code,
    reason = "intrinsics and shared output; each use has its safety comment"
)]

mod activations;
mod attention;
mod columns;
mod floats;
mod integers;
mod matrix;
mod panels;
mod pool;
mod product;
mod shared;
mod simd;

#[cfg(test)]
mod tests;

pub(crate) use activations::Activations;
pub(crate) use attention::{HeadBlock, Heads, Span, attend};
pub(crate) use columns::{Norm, add_and_norm, gate, narrow, quantise, rotate};
pub(crate) use matrix::{Matrix, Unpacked, read_vector};
pub(crate) use pool::{Pool, WorkerFailed};
pub(crate) use product::{Product, multiply};
pub(crate) use simd::Isa;
