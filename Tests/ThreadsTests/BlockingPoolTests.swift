import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Threads

@Suite struct BlockingPoolTests {
    /// How many threads of this process have names that begin so.
    private func threads(named prefix: String) -> Int {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return tasks.filter { (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))?.hasPrefix(prefix) ?? false }.count
    }

    @Test func aPoolHasItsThreadsFromInitToShutDown() async throws {
        let pool = BlockingPool.start("whole", threads: 3)
        // A thread takes its name before its first call.
        try await withThrowingTaskGroup(of: Void.self) { group in
            let barrier = Barrier(3)
            for _ in 0..<3 { group.addTask { try await pool.run { barrier.wait() } } }
            try await group.waitForAll()
        }
        #expect(threads(named: "whole-") == 3)
        await pool.shutDown()
        #expect(threads(named: "whole-") == 0)
    }

    @Test func aPoolOfOneThreadMakesOneCallAtATime() async throws {
        let pool = BlockingPool.start("single", threads: 1)
        let calls = Calls()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 { group.addTask { try await pool.run { calls.make() } } }
            try await group.waitForAll()
        }
        #expect(calls.most == 1)
        #expect(calls.made == 200)
        await pool.shutDown()
    }

    @Test func aPoolThatIsShutDownCancelsNewCalls() async throws {
        let pool = BlockingPool.start("ended", threads: 1)
        await pool.shutDown()
        await #expect(throws: CancellationError.self) { try await pool.run {} }
        await pool.shutDown()
    }

    @Test func shutDownWaitsForTheCallInProgressAndCancelsThoseThatWait() async throws {
        let pool = BlockingPool.start("leaving", threads: 1)
        let (began, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let present = Task {
            try await pool.run {
                began.signal()
                gate.wait()
                return 7
            }
        }
        await Task.detached { began.wait() }.value
        let waiting = Task { try await pool.run { 8 } }
        let ended = Task { await pool.shutDown() }
        // Either refused, or queued and then cancelled.
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.signal()
        await ended.value
        #expect(try await present.value == 7)
    }

    @Test func aCallThatIsCancelledBeforeItsTurnIsNotMade() async throws {
        let pool = BlockingPool.start("cancelled", threads: 1)
        let (began, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let present = Task {
            try await pool.run {
                began.signal()
                gate.wait()
            }
        }
        await Task.detached { began.wait() }.value
        let isMade = Mutex(false)
        let waiting = Task { try await pool.run { isMade.withLock { $0 = true } } }
        waiting.cancel()
        gate.signal()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        try await present.value
        #expect(isMade.withLock { $0 } == false)
        await pool.shutDown()
    }
}

/// Counts calls, and how many of them went on at the same time.
private final class Calls: Sendable {
    private let state = Mutex((present: 0, most: 0, made: 0))

    var most: Int { state.withLock { $0.most } }
    var made: Int { state.withLock { $0.made } }

    func make() {
        state.withLock { $0 = ($0.present + 1, max($0.most, $0.present + 1), $0.made) }
        state.withLock { $0 = ($0.present - 1, $0.most, $0.made + 1) }
    }
}

/// Lets calls go on once all of them are there.
private final class Barrier: Sendable {
    private let missing: Mutex<Int>
    private let gate = DispatchSemaphore(value: 0)

    init(_ count: Int) { missing = Mutex(count) }

    func wait() {
        let isLast = missing.withLock { missing in
            missing -= 1
            return missing == 0
        }
        if !isLast { gate.wait() }
        gate.signal()
    }
}
