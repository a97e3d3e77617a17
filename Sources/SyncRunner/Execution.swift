import Glibc
import Linux
import RunProtocol

/// The script's process and its descendants, from exec to the last byte of output.
struct Execution {
    /// How the script ended.
    struct End {
        var startError: String?
        var stop: StopReason?
        var exitCode: Int64?
        var signal: Int64?
    }

    /// How long the output of processes that outlive the script is still read.
    private static let drainMilliseconds: Int64 = 3000
    /// How long killed processes may take to vanish. One in an uninterruptible wait may never vanish.
    private static let killMilliseconds: Int64 = 5000
    /// How often we look for descendants while stopping. Those that are not our children vanish without a signal to us. Each
    /// look reads the whole process table, so we look less often once KILL has not helped for long.
    private static let lookMilliseconds: Int64 = 50
    private static let slowLookMilliseconds: Int64 = 1000

    private let pid: Int32
    private let pipe: Descriptor
    private let grace: Int64
    private let timeLimitAt: Int64
    private let mayCancel: UInt32
    private var end = End()
    private var exited = false
    private var outputOpen = true
    private var serviceOpen = true
    private var drainUntil: Int64?
    private var killAt: Int64?
    private var giveUpAt: Int64?
    /// While stopping: when to look for descendants next, and what the last look found.
    private var lookAt: Int64 = 0
    private var anyoneLeft = true

    private init(_ pid: Int32, output pipe: Descriptor, timeLimit: Int64, grace: Int64, mayCancel: UInt32) {
        self.pid = pid
        self.pipe = pipe
        self.grace = grace
        self.mayCancel = mayCancel
        timeLimitAt = Clock.monotonicMilliseconds() + timeLimit
    }

    /// Starts the script.
    /// - Parameters:
    ///   - timeLimit: in milliseconds.
    ///   - grace: between TERM and KILL, in milliseconds.
    ///   - otherUser: the user of the service, if it is not ours. Then the script cannot signal us either.
    /// - Throws: if the kernel does not execute it.
    static func start(
        script: String, directory: String, environment: [String], runLock: Descriptor, timeLimit: Int64, grace: Int64, otherUser: UInt32?
    ) throws(SystemError) -> Execution {
        guard try Files.facts(directory, followLink: true).kind == .directory else { throw SystemError("chdir", directory, code: ENOTDIR) }
        let null = try Descriptor.open("/dev/null", O_RDONLY)
        let (read, write) = try Descriptor.pipe()
        try read.makeNonBlocking()
        let pid = try Process.spawn(
            script, arguments: [script], environment: environment, directory: directory,
            // One pipe for both streams keeps their order.
            descriptors: [null, write, write], kept: (runLock, min(RunDirectory.lockDescriptor, Int32(clamping: Process.lowerDescriptorLimit() - 1))),
            // A script of the service's own user is not restricted: many scripts check their lock file with kill -0.
            scoped: otherUser != nil)
        return Execution(pid, output: read, timeLimit: timeLimit, grace: grace, mayCancel: otherUser ?? geteuid())
    }

    /// Reads output and keeps the time limits until the run is over.
    /// - Parameter cancels: the socket for a cancel. It may come from another service than the one that started the run.
    mutating func follow(signals: Signals, service: MessageChannel, cancels: Descriptor, output: inout Output) -> End {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isOver() {
            var watched = [signals.descriptor, cancels]
            if outputOpen { watched.append(pipe) }
            if serviceOpen { watched.append(service.descriptor) }
            let ready = (try? Poll.readable(watched, milliseconds: millisecondsToNextDeadline())) ?? []
            if ready.contains(pipe.number) { pump(&buffer, into: &output) }
            if ready.contains(signals.descriptor.number) { takeSignals(signals) }
            if ready.contains(service.descriptor.number) { listen(to: service) }
            if ready.contains(cancels.number) { takeCancel(cancels) }
            keepTime()
        }
        return end
    }

    private func isOver() -> Bool {
        guard exited else { return false }
        let now = Clock.monotonicMilliseconds()
        if end.stop != nil && anyoneLeft { return giveUpAt.map { now >= $0 } ?? false }
        return !outputOpen || drainUntil.map { now >= $0 } ?? false
    }

    /// Only pending steps have a deadline. With a past deadline we would poll without a pause.
    private func millisecondsToNextDeadline() -> Int64? {
        let deadline = end.stop != nil ? lookAt : exited ? drainUntil : timeLimitAt
        return deadline.map { max(0, $0 - Clock.monotonicMilliseconds()) }
    }

    private mutating func pump(_ buffer: inout [UInt8], into output: inout Output) {
        do {
            guard let count = try pipe.read(into: &buffer) else { return }
            if count == 0 { outputOpen = false } else { output.append(buffer[..<count]) }
        } catch {
            outputOpen = false
        }
    }

    private mutating func takeSignals(_ signals: Signals) {
        while let signal = try? signals.next() {
            if signal == SIGCHLD { reap() } else { stop(.shutdown) }
        }
    }

    /// Collects every child that has ended. As a subreaper we also get the script's orphans.
    private mutating func reap() {
        while let (ended, how) = Process.reap() {
            guard ended == pid else { continue }
            exited = true
            lookAt = 0
            drainUntil = Clock.monotonicMilliseconds() + Self.drainMilliseconds
            switch how {
            case .exited(let code): end.exitCode = Int64(code)
            case .killed(let signal): end.signal = Int64(signal)
            }
        }
    }

    /// During a run the service sends nothing; it can only close the connection. The run goes on without it.
    private mutating func listen(to service: MessageChannel) {
        do { _ = try service.receive(milliseconds: 1000) } catch { serviceOpen = false }
    }

    private mutating func takeCancel(_ cancels: Descriptor) {
        guard let connection = try? LocalSocket.accept(cancels), (try? LocalSocket.peerUser(connection)) == mayCancel else { return }
        let service = MessageChannel(connection)
        // A client that connects and sends nothing must not delay the output for long.
        guard let message = try? service.receive(milliseconds: 200), message == CancelRequest.message else { return }
        stop(.cancelled)
        // If only output is left to read, the script is over, and its own end counts.
        try? service.send((end.stop == .cancelled ? CancelReply.ending : .tooLate).message)
    }

    private mutating func keepTime() {
        let now = Clock.monotonicMilliseconds()
        if end.stop == nil && !exited && now >= timeLimitAt { stop(.timeout) }
        guard let killAt, now >= lookAt else { return }
        if now >= killAt {
            ProcessKiller.kill(Process.descendants) { isAnyoneLeft() }
            if giveUpAt == nil { giveUpAt = now + Self.killMilliseconds }
        }
        anyoneLeft = isAnyoneLeft()
        lookAt = now + (giveUpAt.map { now >= $0 } ?? false ? Self.slowLookMilliseconds : Self.lookMilliseconds)
    }

    /// Asks the kernel, because a look at /proc can miss a process that forks meanwhile. We are a subreaper, so each descendant
    /// is our child or has an ancestor that is.
    private mutating func isAnyoneLeft() -> Bool {
        reap()
        return Process.hasChildren()
    }

    private mutating func stop(_ reason: StopReason) {
        guard end.stop == nil, !exited else { return }
        end.stop = reason
        signalAll(SIGTERM)
        // A stopped process sees its TERM only after CONT.
        signalAll(SIGCONT)
        killAt = Clock.monotonicMilliseconds() + grace
    }

    private func signalAll(_ signal: Int32) {
        for process in Process.descendants() { kill(process, signal) }
    }
}
