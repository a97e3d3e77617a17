import Linux
import NIOCore
import Synchronization

/// Limits the connections in total and for each client network, so that one client cannot take all of them.
package final class ConnectionLimiter: Sendable {
    static let maximumPerNetwork = 100

    private let maximum: Int
    private let sources: SourceAddress
    private let counts = Mutex<(total: Int, byNetwork: [String: Int])>((0, [:]))

    /// - Parameters:
    ///   - maximum: the limit in total.
    ///   - sources: trusted proxies carry the connections of many clients, so only the total limits them.
    package init(maximum: Int, sources: SourceAddress) {
        self.maximum = maximum
        self.sources = sources
    }

    /// Counts a connection until its channel closes.
    /// - Returns: false if a limit is reached; the caller must close the channel.
    func admit(_ channel: any Channel) -> Bool {
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let isLimited = address.map { !sources.isTrusted($0) } ?? true
        let network = address?.network ?? ""
        let admitted = counts.withLock { counts in
            guard counts.total < maximum, !isLimited || counts.byNetwork[network, default: 0] < Self.maximumPerNetwork else { return false }
            counts.total += 1
            counts.byNetwork[network, default: 0] += 1
            return true
        }
        if admitted { channel.closeFuture.whenComplete { _ in self.release(network) } }
        return admitted
    }

    private func release(_ network: String) {
        counts.withLock { counts in
            counts.total -= 1
            counts.byNetwork[network] = counts.byNetwork[network].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
    }
}
