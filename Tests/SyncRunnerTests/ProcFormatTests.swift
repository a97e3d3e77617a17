import Testing

@testable import SyncRunner

@Suite struct ProcFormatTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(
        arguments: [("", []), ("bash\0", ["bash"]), ("bash\0-c\0\0a b\0", ["bash", "-c", "", "a b"]), ("no end", ["no end"])] as [(String, [String])])
    func commandLines(text: String, expected: [String]) {
        #expect(ProcFormat.arguments(cmdline: bytes(text)) == expected)
    }

    @Test func anEntryOfTheEnvironmentCountsWhole() {
        let environ = bytes("A=1\0SYNC_RUN_ID=12\0X=SYNC_RUN_ID=3\0")
        #expect(ProcFormat.contains(environ: environ, "SYNC_RUN_ID=12"))
        for entry in ["SYNC_RUN_ID=1", "SYNC_RUN_ID=123", "SYNC_RUN_ID=3"] { #expect(!ProcFormat.contains(environ: environ, entry)) }
    }

    @Test func theInodeOfAnOpenFile() {
        let info = bytes("pos:\t0\nflags:\t0100000\nmnt_id:\t30\nino:\t1234\n")
        #expect(ProcFormat.mayHaveInode(fdinfo: info, 1234))
        #expect(!ProcFormat.mayHaveInode(fdinfo: info, 123))
        #expect(ProcFormat.mayHaveInode(fdinfo: bytes("pos:\t0\n"), 5), "an old kernel does not say it")
    }

    @Test func locksOfAnOpenFile() {
        #expect(ProcFormat.hasLock(fdinfo: bytes("pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 5 00:1f:1234 0 EOF\n")))
        #expect(!ProcFormat.hasLock(fdinfo: bytes("pos:\t0\nino:\t1234\n")))
    }

    @Test(arguments: [
        ("1000\t0\t1000\t1000", true), ("1000\t1000\t1000\t1000", false), ("1000\t1000\t33\t1000", true), ("x\t1000\t1000\t1000", true),
    ])
    func everyUserNumberCounts(numbers: String, expected: Bool) {
        #expect(ProcFormat.mayAct(status: bytes("Name:\tx\nUid:\t\(numbers)\nGid:\t0\t0\t0\t0\n"), as: [33, 0]) == expected)
    }

    @Test func aStatusWithoutUsersIsUndecided() {
        #expect(ProcFormat.mayAct(status: bytes("Name:\tx\n"), as: [0]) == nil)
    }

    @Test func waitingForInputIsReadOfThatDescriptor() {
        #if arch(x86_64)
            let read = "0"
        #else
            let read = "63"
        #endif
        #expect(ProcFormat.waitsForInput(syscall: bytes("\(read) 0xff 0x7f00 0x1 0x0 0x0 0x0 0x7ffd 0x7f01\n"), 255))
        #expect(!ProcFormat.waitsForInput(syscall: bytes("\(read) 0x0 0x7f00 0x1\n"), 255))
        #expect(!ProcFormat.waitsForInput(syscall: bytes("61 0xff 0x0\n"), 255))
        #expect(!ProcFormat.waitsForInput(syscall: bytes("running\n"), 0))
    }

    @Test(arguments: [
        ("5 (bash) S 1 5 5 34816 5 0", true), ("5 (cron) S 1 5 5 0 -1 0", false), ("5 (a) 34816 b) S 1 5 5 0 -1", false), ("", false),
        ("5 (x) S 1", false),
    ])
    func aTerminal(stat: String, expected: Bool) {
        #expect(ProcFormat.hasTerminal(stat: bytes(stat)) == expected)
    }

    @Test(arguments: [
        ("proc /proc proc rw,nosuid,hidepid=2 0 0", true), ("proc /proc proc rw,hidepid=invisible 0 0", true),
        ("proc /proc proc rw,hidepid=0 0 0", false),
        ("proc /proc proc rw,hidepid=off 0 0", false), ("proc /proc proc rw 0 0", false), ("proc /other proc hidepid=2 0 0", false), ("", false),
        ("proc /proc", false),
    ])
    func hiddenProcesses(mounts: String, expected: Bool) {
        #expect(ProcFormat.hidesProcesses(mounts: bytes("tmpfs /tmp tmpfs rw 0 0\n\(mounts)\n")) == expected)
    }

    @Test func aLockIsKnownByItsInodeAlone() {
        let locks = bytes("1: FLOCK  ADVISORY  WRITE 812 00:1f:1234 0 EOF\n2: OFDLCK ADVISORY  READ -1 fd:01:77 0 EOF\n")
        for inode in [1234, 77] as [UInt64] { #expect(ProcFormat.isLocked(locks: locks, inode: inode)) }
        for inode in [234, 12, 812] as [UInt64] { #expect(!ProcFormat.isLocked(locks: locks, inode: inode)) }
    }
}
