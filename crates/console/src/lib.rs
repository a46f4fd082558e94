//! Pages for people: the sandbox inbox.
