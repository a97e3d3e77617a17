/// Gathers the bytes of one request after another, and discards the bodies that nothing reads. Pure: bytes in, steps out.
package struct RequestGatherer {
    package enum Step: Equatable {
        /// More bytes are needed. `continueExpected`: the client waits for 100 Continue; true once for each request.
        case incomplete(continueExpected: Bool)
        case complete(Request)
    }

    private let keepsBody: @Sendable (RequestFraming) -> Bool
    /// What is known of the present request.
    package private(set) var framing = RequestFraming()
    private var received: [UInt8] = []
    /// The answer of `keepsBody`; nil before the end of the head.
    private var bodyIsKept: Bool?

    /// - Parameter keepsBody: whether the body must be kept. It is asked once, at the end of the head of a request with a body.
    package init(keepsBody: @escaping @Sendable (RequestFraming) -> Bool) { self.keepsBody = keepsBody }

    /// How many bytes are in memory.
    package var count: Int { received.count }

    /// Whether a part of the next request has arrived.
    package var hasBegun: Bool { !received.isEmpty || framing.isInBody }

    package mutating func append(_ bytes: some Sequence<UInt8>) { received += bytes }

    /// Forgets what has arrived.
    package mutating func discardAll() { received = [] }

    /// Looks at what has arrived. After `complete` the next request begins.
    /// - Returns: nil if there are no bytes to look at.
    package mutating func next() throws(FramingError) -> Step? {
        guard !received.isEmpty else { return nil }
        switch try framing.inspect(received) {
        case .incomplete(let continueExpected):
            if framing.isInBody, !isBodyKept() { framing.discardBody(from: &received) }
            return .incomplete(continueExpected: continueExpected)
        case .complete(let length):
            let request = framing.request(from: received, length: length, withBody: framing.hasBody && isBodyKept())
            // A new array, because the old one would keep its capacity.
            received = Array(received[length...])
            framing = RequestFraming()
            bodyIsKept = nil
            return .complete(request)
        }
    }

    private mutating func isBodyKept() -> Bool {
        if let bodyIsKept { return bodyIsKept }
        let keeps = keepsBody(framing)
        bodyIsKept = keeps
        return keeps
    }
}
