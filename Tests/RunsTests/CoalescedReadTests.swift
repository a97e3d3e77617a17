import Dispatch
import Synchronization
import Testing
import Threads

@testable import Runs

/// Looks that a test lets end one by one.
private final class Looks: Sendable {
    private let begun = Mutex(0)
    private let gate = DispatchSemaphore(value: 0)

    var count: Int { begun.withLock { $0 } }

    func read() -> Int {
        let number = begun.withLock { begun in
            begun += 1
            return begun
        }
        gate.wait()
        return number
    }

    func letEnd(_ number: Int) { for _ in 0..<number { gate.signal() } }
}

@Suite struct CoalescedReadTests {
    private let looks = Looks()
    private let pool = BlockingPool.start("looks", threads: 1)

    private func until(_ condition: () async -> Bool) async {
        while await !condition() { await Task.yield() }
    }

    @Test func noAnswerIsOlderThanItsQuestion() async throws {
        let looks = looks
        let shared = CoalescedRead(on: pool) { looks.read() }
        async let first = shared.value()
        await until { looks.count == 1 }
        async let second = shared.value()
        await until { shared.waiting == 1 }
        looks.letEnd(2)
        #expect(try await first == 1)
        #expect(try await second == 2, "the first read began before the question")
    }

    @Test func allWhoWaitShareOneLook() async throws {
        let looks = looks
        let shared = CoalescedRead(on: pool) { looks.read() }
        async let first = shared.value()
        await until { looks.count == 1 }
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<100 { group.addTask { try await shared.value() } }
            await until { shared.waiting == 100 }
            looks.letEnd(2)
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == Array(repeating: 2, count: 100))
        #expect(try await first == 1)
        #expect(looks.count == 2)
    }

    @Test func aResultThatIsKeptAnswersLaterQuestions() async throws {
        let looks = looks
        looks.letEnd(1)
        let shared = CoalescedRead(on: pool, keepMilliseconds: 3_600_000) { looks.read() }
        for _ in 0..<100 { #expect(try await shared.value() == 1) }
        #expect(looks.count == 1)
    }

    @Test func aFailureReachesAllAndIsNotKept() async throws {
        struct Failure: Error {}
        let attempts = Mutex(0)
        let shared = CoalescedRead(on: pool, keepMilliseconds: 3_600_000) { () throws -> Int in
            let attempt = attempts.withLock { attempts in
                attempts += 1
                return attempts
            }
            if attempt == 1 { throw Failure() }
            return attempt
        }
        await #expect(throws: Failure.self) { try await shared.value() }
        #expect(try await shared.value() == 2)
    }
}
