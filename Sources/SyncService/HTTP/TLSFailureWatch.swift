import Linux
import Logging
import NIOCore
import Synchronization
import TLS

/// Behind TLS: has handshakes that failed told to the operator, who otherwise cannot see why nobody gets in.
final class TLSFailureWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: TLSFailureLog

    init(_ log: TLSFailureLog) { self.log = log }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error as? TLSError {
        case .handshakeFailed(let reason)?: log.tell("\(TLSError.handshakeFailed(reason))", from: context.remoteAddress?.ipAddress)
        case .handshakeTimedOut?: log.tell("\(TLSError.handshakeTimedOut)", from: context.remoteAddress?.ipAddress)
        // Port scans and clients without manners: every day's business.
        default: break
        }
        context.fireErrorCaught(error)
    }
}

/// One line in ten seconds for all connections: anybody who can connect can cause them.
final class TLSFailureLog: Sendable {
    private static let intervalMilliseconds: Int64 = 10_000

    private let logger: Logger
    private let state = Mutex((next: Int64.min, untold: 0))

    init(logger: Logger) { self.logger = logger }

    func tell(_ what: String, from address: String?, now: Int64 = Clock.monotonicMilliseconds()) {
        let untold = state.withLock { state -> Int? in
            guard now >= state.next else {
                state.untold += 1
                return nil
            }
            defer { state = (now + Self.intervalMilliseconds, 0) }
            return state.untold
        }
        guard let untold else { return }
        logger.info("\(what)\(untold > 0 ? "; \(untold) others since the last such line" : "")", metadata: ["from": "\(address ?? "?")"])
    }
}
