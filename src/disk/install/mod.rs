//! From the first byte of a download to the file in its place.

pub(super) mod download;
pub(super) mod download_record;
pub(super) mod light;
pub(super) mod light_files;
pub(super) mod place;
