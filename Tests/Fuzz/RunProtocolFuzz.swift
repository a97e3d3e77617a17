import Glibc
import Linux
import RunProtocol

private let file = "/dev/shm/sync-service-fuzz-\(getpid())"

/// Messages, results and spool files: what the service reads from the runner's side, which it does not trust, and what
/// the runner reads from a socket.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = array(data, size)
    guard let kind = bytes.first else { return 0 }
    let rest = Array(bytes.dropFirst())
    switch kind & 3 {
    case 0: readMessage(rest)
    case 1: readSpool(rest)
    case 2: writeSpool(rest)
    default: buildMessage(rest)
    }
    return 0
}

private func readMessage(_ bytes: [UInt8]) {
    guard let message = try? Message(decoding: bytes) else { return }
    // Nobody writes a field's name again that was read; one that is not ASCII could not be written as it came.
    if message.fields.allSatisfy({ $0.name.utf8.allSatisfy { $0 < 0x80 } }) {
        hold((try? Message(decoding: message.encoded())) == message, "another message after writing and reading")
    }
    if let run = try? RunRequest(message) {
        hold((try? RunRequest(run.message)) == run, "another RunRequest")
        // The runner adds these to clocks and sizes.
        hold(run.timeoutSeconds + run.graceSeconds > 0 && run.outputLimit >= 2, "limits \(run)")
    }
    if let reply = try? RunReply(message) { hold((try? RunReply(reply.message)) == reply, "another RunReply") }
    if let go = try? Go(message) { hold(go.run > 0, "run \(go.run)") }
    if let result = try? RunResult(message) {
        hold((try? RunResult(result.message)) == result, "another RunResult")
        _ = result.outcome
    }
    if let lock = try? RunLockState(message) {
        hold((try? RunLockState(lock.message)) == lock, "another RunLock")
        // The service writes these as dates and subtracts them from its clock.
        hold(lock.holder.map { WallTime.range.contains($0.since) } ?? true, "a holder since \(lock)")
    }
    if let reply = try? LockFileReply(message) {
        hold((try? LockFileReply(reply.message)) == reply, "another LockFileReply")
        hold(reply.file.map { WallTime.range.contains($0.modified) } ?? true, "a lock file of \(reply)")
    }
    if let tail = try? LogTail(message) { hold((try? LogTail(tail.message)) == tail, "another LogTail") }
    if let request = try? LogTailRequest(message) { hold((try? LogTailRequest(request.message)) == request, "another LogTailRequest") }
    if let reply = try? LockClearReply(message) { hold((try? LockClearReply(reply.message)) == reply, "another LockClearReply") }
    if let request = try? LockClearRequest(message) { hold((try? LockClearRequest(request.message)) == request, "another LockClearRequest") }
    if let facts = try? PathFacts(message) { hold((try? PathFacts(facts.message)) == facts, "another PathFacts") }
    if let request = try? EndRunRequest(message) {
        hold((try? EndRunRequest(request.message)) == request, "another EndRunRequest")
        hold(request.graceSeconds &* 1000 / 1000 == request.graceSeconds, "a grace of \(request.graceSeconds)")
    }
    if let reply = try? EndRunReply(message) { hold((try? EndRunReply(reply.message)) == reply, "another EndRunReply") }
    if let processes = try? RunProcesses(message) { hold((try? RunProcesses(processes.message)) == processes, "other RunProcesses") }
    if let request = try? RunProcessesRequest(message) {
        hold((try? RunProcessesRequest(request.message)) == request, "another RunProcessesRequest")
    }
    _ = try? PathRequest(message)
    _ = try? CancelReply(message)
    _ = try? RunLockRequest(message)
    _ = try? LockFileRequest(message)
    _ = try? ScriptCheckRequest(message)
    _ = try? ScriptProcessRequest(message)
    _ = try? ScriptProcess(message)
    _ = RunLockHolder(message)
}

/// A message whose frame is right, so that the fields are reached: `name=value` lines.
private func buildMessage(_ bytes: [UInt8]) {
    let kinds = [
        "run", "busy", "unfit", "ready", "failed", "go", "ended", "lock-info", "lock-file", "check-script", "log-tail", "log-lines", "log-unreadable",
        "script-process", "lock-clear", "lock-cleared", "lock-kept", "run-cancelling", "cancel-too-late", "path", "path-facts",
        "run-processes", "end-run", "run-ending", "run-gone",
    ]
    guard let first = bytes.first else { return }
    var message = Message(kinds[Int(first) % kinds.count])
    for line in bytes.dropFirst().split(separator: UInt8(ascii: "\n")) {
        let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        message.add(String(decoding: parts[0].prefix(64), as: UTF8.self), parts.count > 1 ? Array(parts[1]) : [])
    }
    readMessage(message.encoded())
}

/// A spool file that the runner's user wrote by hand.
private func readSpool(_ bytes: [UInt8]) {
    replaceFile(bytes)
    let maximum: Int64 = 65536
    guard let content = try? OutputSpool.read(file, maximum: maximum) else { return }
    hold(content.bytes.count <= Int(maximum) + 128 && content.total >= 0, "\(content.bytes.count) bytes of \(content.total)")
    hold(content.truncated || content.bytes.count <= content.total, "more than was written")
}

/// A spool against the plain definition of what it keeps: the first half and the last half.
private func writeSpool(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let limit = Int(first) % 61 + 2
    unlink(file)
    guard var spool = try? OutputSpool.create(file, limit: Int64(limit)) else { return }
    var all: [UInt8] = []
    for piece in bytes.dropFirst().split(separator: 0xff, omittingEmptySubsequences: false) {
        guard (try? spool.append(piece)) != nil else { return hold(false, "a piece was not taken") }
        all += piece
    }
    guard let content = try? OutputSpool.read(file, maximum: 1024) else { return hold(false, "what was written is not read") }
    hold(content.total == all.count && content.truncated == (all.count > limit), "\(content) of \(all.count)")
    if all.count <= limit {
        hold(content.bytes == all, "not what was written")
    } else {
        let last = limit / 2
        hold(
            content.bytes.starts(with: all.prefix(limit - last)) && content.bytes.suffix(last) == all.suffix(last), "not the first and the last half")
    }
}

private func replaceFile(_ bytes: [UInt8]) {
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { return }
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
}

@_cdecl("LLVMFuzzerInitialize")
package func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    atexit { unlink(file) }
    return 0
}
