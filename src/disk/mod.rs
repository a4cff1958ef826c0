//! Edge: the local folder.
