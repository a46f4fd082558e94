//! The REST door: parse, call one service method, convert.
