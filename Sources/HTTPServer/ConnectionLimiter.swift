import Linux
import NIOCore
import Synchronization

/// Caps connections in total and by address, so that one client cannot take what all need.
package final class ConnectionLimiter: Sendable {
    static let maximumPerAddress = 100

    private let maximum: Int
    private let sources: SourceAddress
    private let counts = Mutex<(total: Int, byNetwork: [String: Int])>((0, [:]))

    /// - Parameters:
    ///   - maximum: in total.
    ///   - sources: proxies that are trusted carry the connections of many and count in the total only.
    package init(maximum: Int, sources: SourceAddress) {
        self.maximum = maximum
        self.sources = sources
    }

    /// - Returns: false where the connection is one too many and is to be closed at once.
    func admit(_ channel: any Channel) -> Bool {
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let single = address.map { !sources.isTrusted($0) } ?? true
        let network = address?.network ?? ""
        let admitted = counts.withLock { counts in
            guard counts.total < maximum, !single || counts.byNetwork[network, default: 0] < Self.maximumPerAddress else { return false }
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
