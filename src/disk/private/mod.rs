//! The private folder, `.icloudds`: opened on each file system, known by its marker, and what in it can be trusted.

pub(super) mod area;
pub(super) mod areas;
pub(super) mod marker;
pub(super) mod right_folder;
pub(super) mod small_files;
pub(super) mod trust;
