/// Why a request is refused before it is decoded. The connection is closed after each of these.
package enum FramingError: Error, Equatable {
    /// - Parameter what: names the part of the request, for the client.
    case malformed(_ what: String)
    case targetTooLong
    case fieldsTooLarge
    case bodyTooLarge
    /// - Parameter what: a method or `Upgrade`.
    case notOffered(_ what: String)
    /// The head or the body did not arrive in time. The server throws it, because ``RequestFraming`` knows no time.
    case tooSlow
    /// The unfinished requests of all connections together use up their memory. The server throws it.
    case noRoom
}
