import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct ProcessTableTests {
    private func row(
        _ name: String, pid: Int32 = 42, parent: Int32 = 7, state: String = "S", flags: UInt32 = 0x40_0000, threads: Int = 1
    ) -> String {
        "\(pid) (\(name)) \(state) \(parent) 42 42 0 -1 \(flags) 1 2 3 4 5 6 7 8 20 0 \(threads) 0 99 1 2 3"
    }

    @Test(arguments: ["bash", "", "a) Z 1 (b", "(((", " "])
    func aRowIsReadWhateverTheProcessIsCalled(name: String) throws {
        let entry = try #require(ProcessEntry(stat: row(name).utf8))
        #expect((entry.pid, entry.parent, entry.name, entry.isKernelThread) == (42, 7, name, false))
        #expect(entry.folder == "/proc/42")
    }

    @Test func kernelThreadsAreKnown() {
        #expect(ProcessEntry(stat: row("kworker/0:0", flags: 0x20_8040).utf8)?.isKernelThread == true)
    }

    @Test func aProcessThatHasEndedIsLeftOut() {
        #expect(ProcessEntry(stat: row("gone", state: "Z").utf8) == nil)
        #expect(ProcessEntry(stat: row("its first thread left", state: "Z", threads: 2).utf8) != nil)
    }

    @Test(arguments: ["", "42", "42 (", ")(", "42 (a)", "x (a) S", "99999999999 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"])
    func malformedRowsAreRefused(text: String) {
        #expect(ProcessEntry(stat: text.utf8) == nil)
    }

    @Test func onlyFoldersOfProcessesAreRead() throws {
        let proc = try TemporaryFolder()
        for name in ["17", "18", "self", "19"] { #expect(mkdir(proc(name), 0o700) == 0) }
        for (name, text) in [("17", row("a", pid: 17)), ("18", row("b", pid: 18, state: "Z")), ("self", row("c", pid: 20))] {
            try Descriptor.open(proc("\(name)/stat"), O_WRONLY | O_CREAT).write(Array(text.utf8))
        }
        let entries = ProcessTable(root: proc.path).entries()
        #expect(entries.map(\.pid) == [17])
        #expect(entries.first?.folder == proc("17"))
    }

    @Test func thisProcessIsInTheTable() {
        #expect(ProcessTable().entries().contains { $0.pid == getpid() && $0.parent == getppid() })
    }

    @Test func descendantsAreFoundThroughEveryGeneration() {
        let parents: [(Int32, Int32)] = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6)]
        let entries = parents.compactMap { ProcessEntry(stat: row("p", pid: $0.0, parent: $0.1).utf8) }
        #expect(ProcessTable.descendants(of: [2], in: entries).sorted() == [3, 4])
        #expect(ProcessTable.descendants(of: [2, 5], in: entries).sorted() == [3, 4, 6, 7])
        #expect(ProcessTable.descendants(of: [9], in: entries).isEmpty)
    }

    /// A number may be used again while the table is read, so that the parents form a circle.
    @Test func aCircleOfParentsEnds() {
        let entries = [2, 3].compactMap { ProcessEntry(stat: row("p", pid: $0, parent: 5 - $0).utf8) }
        #expect(ProcessTable.descendants(of: [2], in: entries).sorted() == [2, 3])
    }
}
