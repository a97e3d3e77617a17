import Encoding
import JSON

/// The parts of a token (RFC 7515, section 7.1), before anything in it is believed.
struct CompactToken {
    /// Longer tokens are refused without being parsed.
    static let maxBytes = 8192
    /// The limit of nesting in header and claims.
    static let maxDepth = 8

    let header: JSONValue
    /// The signed bytes: the first two segments and the dot between them, as received.
    let signedBytes: [UInt8]
    let signature: [UInt8]
    private let payloadSegment: ArraySlice<UInt8>

    init(_ token: String) throws(TokenError) {
        guard token.utf8.count <= Self.maxBytes else { throw .tooLong }
        let dot = UInt8(ascii: ".")
        let segments = Array(token.utf8).split(separator: dot, maxSplits: 3, omittingEmptySubsequences: false)
        guard segments.count == 3 else { throw .segmentCount }
        guard let headerBytes = Base64.url.decode(segments[0]) else { throw .encoding(.header) }
        guard let signature = Base64.url.decode(segments[2]) else { throw .encoding(.signature) }
        do {
            header = try JSONValue(parsing: headerBytes, maxBytes: Self.maxBytes, maxDepth: Self.maxDepth)
        } catch {
            throw .header(error)
        }
        self.signature = signature
        payloadSegment = segments[1]
        signedBytes = segments[0] + [dot] + segments[1]
    }

    /// Refuses everything in the header that could change how the token is checked (RFC 8725, sections 3.1 and 3.10).
    func checkHeader(algorithm: Algorithm) throws(TokenError) {
        guard case .object(let parameters) = header else { throw .headerNotObject }
        guard header["alg"] == .string(algorithm.rawValue) else { throw .algorithm }
        if let type = header["typ"] {
            // A media type, so its case does not matter (RFC 7519, section 5.1).
            guard case .string(let name) = type, name.lowercased() == "jwt" else { throw .type }
        }
        for parameter in parameters where Self.refusedParameters.contains(parameter.name) {
            throw .headerParameter(parameter.name)
        }
    }

    /// The claims. Must be called only after the signature was verified.
    func parseClaims() throws(TokenError) -> JSONValue {
        guard let bytes = Base64.url.decode(payloadSegment) else { throw .encoding(.payload) }
        do {
            return try JSONValue(parsing: bytes, maxBytes: Self.maxBytes, maxDepth: Self.maxDepth)
        } catch {
            throw .claims(error)
        }
    }

    /// These demand processing (`crit`), change what is signed (`b64`, `zip`), or contain or locate a key.
    private static let refusedParameters: Set = ["crit", "b64", "zip", "jku", "jwk", "x5u", "x5c"]
}
