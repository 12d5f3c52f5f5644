//! The one definition from which every other language's bindings are made.
//!
//! ```text
//!  chat-sdk ◀── chat-ffi ──generated──▶ Swift · Kotlin · Python · Node · C
//! ```
//!
//! It will give `chat-sdk` the shapes that other languages can hold (records, enums, objects with
//! methods, one error with a stable code) and no logic of its own: whatever a binding can do, the
//! SDK can do. It is empty until those bindings are made, and has its place in the workspace so
//! that its lint table, the one place where `unsafe` may ever be allowed, is settled before.
