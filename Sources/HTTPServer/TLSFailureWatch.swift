import Diagnostics
import Logging
import NIOCore
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
package final class TLSFailureLog: Sendable {
    private let logger: Logger
    private let throttle = LogThrottle(lines: 1, in: 10_000)

    package init(logger: Logger) { self.logger = logger }

    package func tell(_ what: String, from address: String?) {
        throttle.log { logger.info("\(what)\($0)", metadata: ["from": "\(address ?? "?")"]) }
    }
}
