//! What is true of both parts together.
