import Diagnostics
import Logging
import NIOCore
import TLS

/// Logs failed TLS handshakes, so that the operator sees why clients cannot connect. Its place is behind ``TLSHandler``.
final class TLSFailureWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: TLSFailureLog

    init(_ log: TLSFailureLog) { self.log = log }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error as? TLSError {
        case .handshakeFailed?, .handshakeTimedOut?: log.write("\(error)", from: context.remoteAddress?.ipAddress)
        // Port scans and clients that leave without close_notify happen every day.
        default: break
        }
        context.fireErrorCaught(error)
    }
}

/// Writes at most one line in ten seconds for all connections, because anybody who can connect can cause lines.
package final class TLSFailureLog: Sendable {
    private let logger: Logger
    private let throttle = LogThrottle(lines: 1, in: 10_000)

    package init(logger: Logger) { self.logger = logger }

    func write(_ what: String, from address: String?) {
        throttle.log { logger.info("\(what)\($0)", metadata: ["from": "\(address ?? "?")"]) }
    }
}
