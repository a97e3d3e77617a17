import Testing

@testable import HTTPServer

@Suite struct ReaderWatchTests {
    private func progress(_ writes: Int, _ unacknowledged: Int? = nil) -> ReaderWatch.Progress {
        ReaderWatch.Progress(writes: writes, unacknowledged: unacknowledged)
    }

    @Test func aClientIsGivenUpAfterTwelveLooksWithoutProgress() {
        var watch = ReaderWatch(from: progress(1, 5000))
        for _ in 1..<12 { #expect(watch.look(at: progress(1, 5000)) == false) }
        #expect(watch.look(at: progress(1, 5000)) == true)
    }

    /// Both count: what the kernel has taken, and what the client's kernel has acknowledged.
    @Test func anyProgressBeginsTheCountAgain() {
        var watch = ReaderWatch(from: progress(1, 5000))
        for _ in 1..<12 { #expect(watch.look(at: progress(1, 5000)) == false) }
        #expect(watch.look(at: progress(1, 4999)) == false)
        for _ in 1..<12 { #expect(watch.look(at: progress(1, 4999)) == false) }
        #expect(watch.look(at: progress(2, 4999)) == false)
        for _ in 1..<12 { #expect(watch.look(at: progress(2, 4999)) == false) }
        #expect(watch.look(at: progress(2, 4999)) == true)
    }
}
