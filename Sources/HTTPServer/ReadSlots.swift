import Synchronization

/// Limits how many heavy reads go on at a time. Each keeps much memory until its client has taken the answer, or keeps a
/// thread busy. Reads beyond the limit are answered 429.
package final class ReadSlots: Sendable {
    /// One read's slot. It is free again when nothing refers to it any more, however its answer ends.
    package final class Slot: Sendable {
        private let slots: ReadSlots
        private let user: String

        fileprivate init(_ slots: ReadSlots, _ user: String) {
            self.slots = slots
            self.user = user
        }

        deinit { slots.release(user) }
    }

    private struct Waiter {
        let id: UInt64
        let user: String
        let continuation: CheckedContinuation<Slot?, Never>
    }

    private struct State {
        var taken = 0
        var byUser: [String: Int] = [:]
        var waiting: [Waiter] = []
        var nextID: UInt64 = 0
    }

    private let count: Int
    private let perUser: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - count: how many slots there are.
    ///   - perUser: how many of them one user may have; nil: all.
    package init(_ count: Int, perUser: Int? = nil) {
        self.count = count
        self.perUser = perUser ?? count
    }

    /// How many reads wait for a slot.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Takes a slot at once.
    /// - Throws: ``RequestError/tooManyReads`` if none is free for this user.
    package func take(for user: String = "") throws(RequestError) -> Slot {
        guard state.withLock({ occupy(user, &$0) }) else { throw .tooManyReads }
        return Slot(self, user)
    }

    /// Takes a slot, and waits for one if necessary. Those who wait get their slots in the order in which they came.
    /// - Throws: ``RequestError/tooManyReads`` if none has become free within `patience`.
    package func take(for user: String, within patience: Duration) async throws(RequestError) -> Slot {
        if let slot = try? take(for: user) { return slot }
        var timer: Task<Void, any Error>?
        let slot = await withCheckedContinuation { continuation in
            let waiting = state.withLock { state -> UInt64? in
                // A slot may have become free since the first attempt.
                if occupy(user, &state) { return nil }
                state.nextID &+= 1
                state.waiting.append(Waiter(id: state.nextID, user: user, continuation: continuation))
                return state.nextID
            }
            guard let waiting else { return continuation.resume(returning: Slot(self, user)) }
            timer = Task {
                try await Task.sleep(for: patience)
                giveUp(waiting)
            }
        }
        timer?.cancel()
        guard let slot else { throw .tooManyReads }
        return slot
    }

    private func occupy(_ user: String, _ state: inout State) -> Bool {
        guard state.taken < count, state.byUser[user, default: 0] < perUser else { return false }
        state.taken += 1
        state.byUser[user, default: 0] += 1
        return true
    }

    private func giveUp(_ id: UInt64) {
        let waiter = state.withLock { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: nil)
    }

    private func release(_ user: String) {
        let next = state.withLock { state -> Waiter? in
            state.taken -= 1
            state.byUser[user] = state.byUser[user].flatMap { $0 > 1 ? $0 - 1 : nil }
            guard let index = state.waiting.firstIndex(where: { state.byUser[$0.user, default: 0] < perUser }) else { return nil }
            let waiter = state.waiting.remove(at: index)
            return occupy(waiter.user, &state) ? waiter : nil
        }
        if let next { next.continuation.resume(returning: Slot(self, next.user)) }
    }
}
