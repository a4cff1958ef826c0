//! What the ports promise, sentence by sentence, for every implementation of them.
//!
//! A bench brings one fresh side and lets the suite act on it behind the port's back. To run the
//! suite against another implementation: implement the bench and call the macro with its maker.

mod disk;
mod drive;
mod real;

use icloudds::engine::ports::{Disk, Remote};
use icloudds::model::ItemId;

use crate::sim::{SimDisk, SimDrive, World};

/// A fresh, empty disk, and hands behind its back.
pub trait DiskBench {
    /// The port.
    fn disk(&self) -> &dyn Disk;
    /// Writes a file in place, or a new one.
    fn write(&self, path: &str, content: &[u8]);
    /// Makes a folder.
    fn mkdir(&self, path: &str);
    /// Makes a link, socket or FIFO.
    fn special(&self, path: &str);
    /// Removes a file or a folder with all it holds.
    fn remove(&self, path: &str);
    /// The content of a file; `None` when none is there.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// The contents of all files in the local trash.
    fn trash(&self) -> Vec<Vec<u8>>;
}

/// A fresh, empty drive, and the hands of another device.
pub trait DriveBench {
    /// The port.
    fn remote(&self) -> &dyn Remote;
    /// Makes a file in a folder.
    fn create(&self, folder: &ItemId, name: &str, content: &[u8]) -> ItemId;
    /// Gives a file other content.
    fn edit(&self, id: &ItemId, content: &[u8]);
    /// Deletes an item for good.
    fn erase(&self, id: &ItemId);
}

/// One test for each promise of a disk, on a fresh bench.
macro_rules! disk_suite {
    ($make:expr => $($promise:ident)+) => { $(#[test] fn $promise() { $crate::ports::disk::$promise(&$make); })+ };
    ($make:expr) => {
        $crate::ports::disk_suite! { $make =>
            a_folder_is_read_in_the_order_of_the_names nothing_is_seen_where_nothing_is
            a_file_is_read_whole_or_not_agreed a_folder_is_made_under_a_free_name
            a_download_shows_only_when_it_is_placed a_download_resumes_while_it_is_of_one_version
            a_discarded_download_is_gone what_is_replaced_lies_in_the_trash what_changed_is_not_replaced
            a_rename_needs_the_planned_item_and_a_free_name
            trashing_keeps_the_content_and_spares_full_folders
            a_folder_that_is_gone_keeps_nothing_from_being_durable
        }
    };
}

/// One test for each promise of a drive, on a fresh bench.
macro_rules! drive_suite {
    ($make:expr => $($promise:ident)+) => { $(#[test] fn $promise() { $crate::ports::drive::$promise(&$make); })+ };
    ($make:expr) => {
        $crate::ports::drive_suite! { $make =>
            a_listing_answers_each_folder_in_order a_look_up_tells_what_is_there_and_what_is_gone
            a_change_keeps_the_id_and_changes_the_etag the_trash_takes_only_the_planned_version
            what_is_trashed_comes_back_or_goes_for_good an_upload_shows_when_it_is_committed
            a_replacement_keeps_the_id a_fetch_begins_where_it_is_asked_to
            a_body_of_another_length_is_not_staged
        }
    };
}

use {disk_suite, drive_suite};

impl DiskBench for SimDisk {
    fn disk(&self) -> &dyn Disk {
        self
    }
    fn write(&self, path: &str, content: &[u8]) {
        assert!(SimDisk::write(self, path, content));
    }
    fn mkdir(&self, path: &str) {
        assert!(SimDisk::mkdir(self, path));
    }
    fn special(&self, path: &str) {
        assert!(SimDisk::special(self, path));
    }
    fn remove(&self, path: &str) {
        assert!(self.delete(path));
    }
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        SimDisk::read(self, path).map(|content| content.to_vec())
    }
    fn trash(&self) -> Vec<Vec<u8>> {
        self.trash_contents().iter().map(|content| content.to_vec()).collect()
    }
}

impl DriveBench for SimDrive {
    fn remote(&self) -> &dyn Remote {
        self
    }
    fn create(&self, folder: &ItemId, name: &str, content: &[u8]) -> ItemId {
        self.create_in(folder, name, content).expect("the folder is there")
    }
    fn edit(&self, id: &ItemId, content: &[u8]) {
        assert!(self.edit_id(id, content));
    }
    fn erase(&self, id: &ItemId) {
        assert!(self.delete_for_good(id));
    }
}

mod sim_disk {
    super::disk_suite!((*super::World::new(1).disk).clone());
}

mod sim_drive {
    super::drive_suite!(std::sync::Arc::into_inner(super::World::new(1).drive).unwrap());
}

mod real_disk {
    super::disk_suite!(super::real::RealDisk::new(false));
}

mod plain_disk {
    super::disk_suite!(super::real::RealDisk::new(true));
}

mod real_drive {
    super::drive_suite!(super::real::RealDrive::new());
}
