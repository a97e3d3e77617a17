import JSON
import OpenSSL

/// Why a token was refused, or could not be signed.
///
/// It may be logged, because it contains nothing of the token but names that we know. The client gets the same 401 for
/// all of them.
package enum TokenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A part of the compact form (RFC 7515, section 7.1).
    package enum Segment: String, Sendable {
        case header, payload, signature
    }

    case tooLong
    case segmentCount
    case encoding(Segment)
    case header(JSONError)
    case headerNotObject
    case algorithm
    case type
    case headerParameter(String)
    case secretTooShort
    case signature
    case claims(JSONError)
    case claimsNotObject
    case missingClaim(String)
    case malformedClaim(String)
    case expired
    case notYetValid
    case issuedInFuture
    case lifetimeTooLong
    case issuer
    case audience
    case revoked
    /// The library failed, not the token.
    case openSSL(OpenSSLError)

    package var description: String {
        switch self {
        case .tooLong: "the token is longer than \(CompactToken.maxBytes) bytes"
        case .segmentCount: "the token does not have three segments"
        case .encoding(let segment): "the token's \(segment.rawValue) is not base64url without padding"
        case .header(let error): "the token's header is \(error)"
        case .headerNotObject: "the token's header is not an object"
        case .algorithm: "the token's alg is not the one configured"
        case .type: "the token's typ is not JWT"
        case .headerParameter(let name): "the token's header has \(name), which is not supported"
        case .secretTooShort: "the secret is shorter than its algorithm allows"
        case .signature: "the token's signature is wrong"
        case .claims(let error): "the token's claims are \(error)"
        case .claimsNotObject: "the token's claims are not an object"
        case .missingClaim(let name): "the token has no claim \(name)"
        case .malformedClaim(let name): "the token's claim \(name) has a wrong type or value"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .issuedInFuture: "the token was issued in the future: compare the clocks"
        case .lifetimeTooLong: "the token's lifetime is longer than allowed"
        case .issuer: "the token's issuer is not the one configured"
        case .audience: "the token is for another audience"
        case .revoked: "the token was issued before the time tokens are accepted from"
        case .openSSL(let error): error.description
        }
    }
}
