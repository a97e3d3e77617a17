/// A complete request (RFC 9112).
package struct Request: Sendable, Equatable {
    package let method: String
    /// The target without the query.
    package let path: String
    /// The part of the target between `?` and `#`; nil without a `?`.
    package let query: String?
    package let fields: RequestFields
    /// The value of the field Authorization, of which there is at most one; nil without it.
    package let authorization: String?
    /// Without the form of chunks; empty if nothing reads it.
    package let body: [UInt8]
    /// Whether the client wants the connection closed after the response.
    package let closesConnection: Bool
    package let isHTTP10: Bool

    init(_ head: RequestHead, fields: RequestFields, body: [UInt8]) {
        method = head.method
        path = Self.path(ofTarget: head.target)
        query = Self.query(ofTarget: head.target)
        self.fields = fields
        authorization = head.authorization
        self.body = body
        closesConnection = head.closes
        isHTTP10 = head.isHTTP10
    }

    static func path(ofTarget target: String) -> String {
        target.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(target[..<$0]) } ?? target
    }

    private static func query(ofTarget target: String) -> String? {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        let query = target[target.utf8.index(after: mark)...]
        return String(query.utf8.firstIndex(of: UInt8(ascii: "#")).map { query[..<$0] } ?? query)
    }
}
