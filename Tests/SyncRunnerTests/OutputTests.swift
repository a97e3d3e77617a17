import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

@Suite struct OutputTests {
    @Test func allOutputIsCountedAndAPartIsKept() throws {
        let folder = try TemporaryFolder()
        var output = Output(try OutputSpool.create(folder("output"), limit: 2))
        for piece in ["a", "b", "c"] { output.append(Array(piece.utf8)[...]) }
        let (total, digest, failure) = output.finish()
        #expect(total == 3 && failure == nil)
        #expect(digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let kept = try OutputSpool.read(folder("output"), maximum: 10)
        #expect(kept.total == 3 && kept.truncated)
    }
}
