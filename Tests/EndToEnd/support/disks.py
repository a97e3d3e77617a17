"""Disks of one's own over a folder: small ones that fill up, and one that turns read-only or loses power. Needs root."""

import fcntl
import os
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support.waiting import eventually


@contextmanager
def disk(folder, mebibytes):
    """A tmpfs of that size over a folder, whose mode and owner stay."""
    status = folder.stat()
    options = f"size={mebibytes}m,mode={status.st_mode & 0o777:o},uid={status.st_uid},gid={status.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Takes the disk's last byte; the file to remove again."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
    free = os.statvfs(folder)
    assert free.f_bavail == 0, "the disk is full"
    return filler


class Ext4:
    """A small ext4 of one's own over a folder: on a loop device, and with errors=remount-ro as Debian installs it."""

    # _IOR('X', 125, __u32) with FS_SHUTDOWN_FLAGS_NOLOGFLUSH (ext4's and xfs's header files)
    SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, struct.pack("I", 2)

    def __init__(self, folder):
        self.folder, self.image = folder, folder.with_name(folder.name + ".image")

    def __enter__(self):
        with self.image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self._mount()
        self.folder.chmod(0o700)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def turn_read_only(self):
        """As after an error in the file system: from now on nothing can be written, through open files either."""
        found = subprocess.run(["findmnt", "-no", "SOURCE", self.folder], check=True, capture_output=True, text=True)
        Path(f"/sys/fs/ext4/{Path(found.stdout.strip()).name}/trigger_fs_error").write_text("for a test")

    def lose_power(self):
        """Stops all writing and forgets what was not on the disk, its journal's last entries included."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(descriptor, self.SHUTDOWN, self.WITHOUT_FLUSH)
        os.close(descriptor)

    def mend(self):
        """Waits until the disk is unused, checks it as a boot does, and mounts it again."""
        eventually(self._unmounted, "nobody uses the disk any more")
        subprocess.run(["e2fsck", "-fy", self.image], capture_output=True, check=False)
        self._mount()

    def _unmounted(self):
        return subprocess.run(["umount", self.folder], capture_output=True, check=False).returncode == 0

    def _mount(self):
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", self.image, self.folder], check=True)
