import Linux
import TestSupport
import Testing

@testable import RunProtocol

@Suite struct MessageTests {
    private static let result = RunResult(
        startError: "exec /x: Exec format error", stop: .timeout, exitCode: 3, signal: 15, lockFileSeen: true,
        scriptChanged: false, outputBytes: 7, outputSHA256: String(repeating: "a", count: 64), spoolError: "full",
        finishedAt: 1_700_000_000_123, durationMilliseconds: 42)

    private static let request = RunRequest(
        script: "/opt/sync it.sh", workingDirectory: nil, lockPath: "/tmp/l", runDirectory: "/run/d", timeoutSeconds: 60,
        graceSeconds: 0, outputLimit: 2, environment: ["A=1", "B=x=y\n"])

    @Test func everyMessageSurvivesTheWire() throws {
        #expect(try RunRequest(wire(Self.request.message)) == Self.request)
        #expect(try RunResult(wire(Self.result.message)) == Self.result)
        #expect(try Go(wire(Go(run: 9).message)) == Go(run: 9))
        let replies: [RunReply] = [
            .busy(nil), .busy(RunLockHolder(run: nil, pid: 5, since: 6)), .busy(RunLockHolder(run: 4, pid: 5, since: 6)),
            .unfit(.unsafePermissions, detail: "mode 777", scriptUID: 0), .ready(scriptSHA256: "ab", scriptUID: 7),
            .failed("no"), .refused("not with these settings"),
        ]
        for reply in replies { #expect(try RunReply(wire(reply.message)) == reply) }
        for lock in [RunLockState(held: true, holder: RunLockHolder(run: 1, pid: 2, since: 3)), RunLockState(held: false, holder: nil)] {
            #expect(try RunLockState(wire(lock.message)) == lock)
        }
        for file in [nil, LockFile(identity: FileIdentity(device: 4, inode: 5), modified: 6, owner: 7)] {
            #expect(try LockFileReply(wire(LockFileReply(file: file).message)) == LockFileReply(file: file))
        }
        let tail = LogTailRequest(
            logPath: "/l", logDirectory: "/d", stateDirectory: "/s", forbidden: [FileIdentity(device: .max, inode: 1)])
        #expect(try LogTailRequest(wire(tail.message)) == tail)
        #expect(try LogTail(wire(LogTail.lines([0, 255, 10]).message)) == .lines([0, 255, 10]))
    }

    @Test func messagesAboutWhatIsLeftOfARunSurviveTheWire() throws {
        for run in [nil, 7] as [Int64?] {
            let request = RunProcessesRequest(runDirectory: "/r", run: run)
            #expect(try RunProcessesRequest(wire(request.message)) == request)
        }
        let end = EndRunRequest(runDirectory: "/r", run: 7, graceSeconds: 0)
        #expect(try EndRunRequest(wire(end.message)) == end)
        let processes = RunProcesses(pids: [9, 3])
        #expect(processes.pids == [3, 9])
        #expect(try RunProcesses(wire(processes.message)) == processes)
        for reply in [EndRunReply.ending(processes), .nothingLeft] { #expect(try EndRunReply(wire(reply.message)) == reply) }
        #expect(RunProcesses(pids: Array(1...1000)).pids.count == RunProcesses.maximum)
        for (field, value) in [("run", 0), ("grace_seconds", -1), ("grace_seconds", Int64.max), ("run", Int64.min)] {
            var message = Message(EndRunRequest.kind)
            for other in end.message.fields where other.name != field { message.add(other.name, other.value) }
            message.add(field, value)
            #expect(throws: MessageError.self) { try EndRunRequest(message) }
        }
        for pid in [Int64.max, -1, 0] {
            var message = Message(RunProcesses.kind)
            message.add("pid", pid)
            #expect(throws: MessageError.self) { try RunProcesses(message) }
        }
    }

    @Test(arguments: [Int64.min, -1, 0, 1, .max]) func timesOfOthersCanBeWrittenAsDatesAndSubtracted(time: Int64) throws {
        let file = LockFile(identity: FileIdentity(device: 0, inode: 0), modified: time, owner: .max)
        let lock = RunLockState(held: false, holder: RunLockHolder(run: .max, pid: .min, since: time))
        let receivedFile = try LockFileReply(wire(LockFileReply(file: file).message)).file
        let receivedLock = try RunLockState(wire(lock.message))
        #expect(receivedFile == file && receivedLock == lock)
        for known in [receivedFile?.modified, receivedLock.holder?.since] {
            #expect(known.map(WallTime.range.contains) == true)
        }
    }

    @Test func anotherVersionIsNamedWhateverFollows() {
        var bytes = Message("from the future").encoded()
        // The version's single digit stands behind its field's name and length.
        bytes[1 + "version".utf8.count + 4] = UInt8(ascii: "7")
        #expect(throws: MessageError.version("7")) { try Message(decoding: bytes) }
    }

    @Test func everyPrefixIsRefused() {
        let bytes = Self.result.message.encoded()
        var refused = 0
        for length in 0..<bytes.count {
            do { _ = try RunResult(Message(decoding: Array(bytes[..<length]))) } catch { refused += 1 }
        }
        // The message minus only its optional fields would still be one, but none of those comes last.
        #expect(refused == bytes.count)
    }

    @Test func limitsOutOfRangeAreRefused() {
        for (name, value) in [
            ("timeout_seconds", 0), ("timeout_seconds", Int64.max), ("grace_seconds", -1), ("output_limit", 1), ("output_limit", Int64.max),
        ] {
            var message = Message(RunRequest.kind)
            for field in Self.request.message.fields where field.name != name { message.add(field.name, field.value) }
            message.add(name, value)
            #expect(throws: MessageError.self) { try RunRequest(message) }
        }
    }

    @Test func hostileResultsAreRefused() {
        for (name, value) in [
            ("output_bytes", "-1"), ("finished_at", "9223372036854775807"), ("output_sha256", "short"), ("lock_file_seen", "maybe"),
        ] {
            var message = Message("ended")
            for field in Self.result.message.fields where field.name != name { message.add(field.name, field.value) }
            message.add(name, value)
            #expect(throws: MessageError.self) { try RunResult(message) }
        }
    }

    /// Not one of 50,000 damaged messages may trap the process that reads it.
    @Test func damagedMessagesNeverTrap() {
        var generator = SeededGenerator(seed: 20)
        let originals = [Self.request.message, Self.result.message, LogTail.lines([1, 2, 3]).message].map { $0.encoded() }
        for round in 0..<50_000 {
            var bytes = originals[round % originals.count]
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
                }
            }
            guard let message = try? Message(decoding: bytes) else { continue }
            _ = try? RunRequest(message)
            _ = try? RunResult(message)
            _ = try? RunReply(message)
            _ = try? LogTailRequest(message)
        }
    }

    @Test func whatTheRunnerSeesSurvivesTheWire() throws {
        for identity in [FileIdentity(device: 7, inode: .max), nil] {
            let facts = PathFacts(identity: identity, readable: true, writable: false, uid: 997)
            #expect(try PathFacts(wire(facts.message)) == facts)
        }
        var message = PathFacts(identity: nil, readable: true, writable: true, uid: 0).message
        message.add("identity", "7")
        #expect(throws: MessageError.malformed("identity")) { try PathFacts(message) }
        #expect(try PathRequest(wire(PathRequest(path: "/a b").message)).path == "/a b")
    }

    @Test func outcomesFollowTheFacts() {
        func outcome(_ change: (inout RunResult) -> Void) -> Outcome {
            var result = Self.result
            (result.startError, result.stop, result.exitCode, result.signal, result.lockFileSeen) = (nil, nil, 0, nil, false)
            change(&result)
            return result.outcome
        }
        #expect(outcome { _ in } == .succeeded)
        #expect(outcome { $0.exitCode = 1 } == .failed)
        #expect(outcome { $0.exitCode = 2 } == .failed)
        #expect(
            outcome {
                $0.exitCode = 2; $0.lockFileSeen = true
            } == .alreadyRunning)
        #expect(
            outcome {
                $0.exitCode = nil; $0.signal = 9
            } == .failed)
        #expect(outcome { $0.stop = .timeout } == .timedOut)
        #expect(outcome { $0.stop = .cancelled } == .cancelled)
        #expect(outcome { $0.stop = .shutdown } == .interrupted)
        #expect(outcome { $0.startError = "exec" } == .startFailed)
    }

    private func wire(_ message: Message) throws -> Message { try Message(decoding: message.encoded()) }
}
