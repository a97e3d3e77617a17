/// Decides whether a client still takes its answer, by looks in equal intervals. Pure.
struct ReaderWatch {
    /// Changes whenever the client takes some of an answer.
    struct Progress: Equatable {
        /// Writes that the kernel has taken.
        let writes: Int
        /// Bytes that the client's kernel has not acknowledged; nil without a socket. Our kernel may hold megabytes that a
        /// slow client takes minutes to read, so writes alone do not show its progress.
        let unacknowledged: Int?
    }

    /// A client is given up after so many looks without progress.
    static let maximumStalls = 12

    private var last: Progress
    private var stalls = 0

    init(from progress: Progress) { last = progress }

    /// - Returns: whether the client is to be given up.
    mutating func look(at progress: Progress) -> Bool {
        stalls = progress == last ? stalls + 1 : 0
        last = progress
        return stalls >= Self.maximumStalls
    }
}
