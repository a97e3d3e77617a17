import Linux
import NIOCore

/// Closes a connection whose client takes nothing of its answer for a minute. A client that is merely slow is left alone.
/// Belongs to the connection's event loop.
final class ReaderTimeout {
    static let interval = TimeAmount.seconds(5)

    private var writes = 0
    /// nil while nothing waits for the client.
    private var watch: ReaderWatch?
    private var nextLook: Scheduled<Void>?

    /// To be called when the kernel has not taken a write at once.
    func writeWaits(on channel: any Channel) {
        guard watch == nil else { return }
        watch = ReaderWatch(from: progress(channel))
        scheduleLook(channel)
    }

    /// To be called when the kernel has taken a write, or the connection has ended.
    func writeEnded() {
        writes &+= 1
        watch = nil
        nextLook?.cancel()
        nextLook = nil
    }

    private func scheduleLook(_ channel: any Channel) {
        nextLook = channel.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { self.look(channel) }
    }

    private func look(_ channel: any Channel) {
        guard watch != nil else { return }
        if watch?.look(at: progress(channel)) == true { return channel.close(promise: nil) }
        scheduleLook(channel)
    }

    private func progress(_ channel: any Channel) -> ReaderWatch.Progress {
        let queued = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            SendQueue.unacknowledgedBytes(socket: $0)
        }
        return ReaderWatch.Progress(writes: writes, unacknowledged: queued ?? nil)
    }
}
