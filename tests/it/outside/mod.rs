//! What comes from outside and is neither a request nor an answer: names, texts and files that others made.

mod recording;
mod records;
mod screen;
mod sentences;
mod terminal;
mod text;
mod words;
