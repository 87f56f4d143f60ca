//! `struct file`, and the inode and file system that it points to.

use super::pointer::{KernelPtr, field};
use crate::maps::KernelPath;

/// `struct file *`
#[derive(Clone, Copy)]
pub(crate) struct File(pub(super) KernelPtr);

impl File {
    /// `struct path`
    #[inline(always)]
    pub(crate) fn path(self) -> KernelPath {
        kernel_path(
            self.0.follow(field!(file_mnt)),
            self.0.follow(field!(file_dentry)),
        )
    }

    /// `struct dentry *`
    #[inline(always)]
    pub(crate) fn dentry(self) -> KernelPtr {
        self.0.follow(field!(file_dentry))
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

/// Makes a [`KernelPath`] of this `struct vfsmount *` and `struct dentry *`.
#[inline(always)]
pub(super) fn kernel_path(mnt: KernelPtr, dentry: KernelPtr) -> KernelPath {
    KernelPath {
        mnt: mnt.number(),
        dentry: dentry.number(),
        mount_root: mnt.follow(field!(vfsmount_root)).number(),
    }
}
