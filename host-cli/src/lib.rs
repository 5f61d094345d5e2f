//! Convert, inspect and run small language models.
