//! `struct file`, and the inode and file system that it points to.

use super::pointer::{KernelPtr, field};
use crate::maps::Place;

/// `struct file *`
#[derive(Clone, Copy)]
pub(crate) struct File(pub(super) KernelPtr);

impl File {
    /// Where the file is.
    #[inline(always)]
    pub(crate) fn place(self) -> Place {
        Place {
            mnt: self.0.follow(field!(file_mnt)).number(),
            dentry: self.0.follow(field!(file_dentry)).number(),
        }
    }

    /// `struct inode *`
    #[inline(always)]
    pub(crate) fn inode(self) -> KernelPtr {
        self.0.follow(field!(file_inode))
    }

    /// Inode number.
    #[inline(always)]
    pub(crate) fn ino(self) -> u64 {
        self.inode().load(field!(inode_ino))
    }

    /// Number of hard links.
    #[inline(always)]
    pub(crate) fn nlink(self) -> u32 {
        self.inode().load(field!(inode_nlink))
    }

    /// Device of the file system.
    #[inline(always)]
    pub(crate) fn dev(self) -> u32 {
        self.inode()
            .follow(field!(inode_sb))
            .load(field!(super_block_dev))
    }

    /// Kind of the file system.
    #[inline(always)]
    pub(crate) fn magic(self) -> u64 {
        self.inode()
            .follow(field!(inode_sb))
            .load(field!(super_block_magic))
    }
}
