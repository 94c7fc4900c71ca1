//! The HTTP API over axum.
//!
//! In scope: the routes ([`routes`], the table of contents), who may call them ([`auth`]), and the only file that knows
//! statuses, headers and envelopes ([`http`]). Out of scope: what an operation does, where the process runs, and what it is
//! configured by.
//!
//! An operation's router is made from its own ports and nothing else, so that a process which serves one operation can
//! build just what that one touches.

pub mod auth;
mod handlers;
pub mod http;
mod once;
pub mod routes;
