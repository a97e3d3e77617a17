import Encoding
import JSON
import OpenSSL

/// Signs tokens, for the command `token`.
package struct Signer: Sendable {
    private let algorithm: Algorithm
    private let secret: [UInt8]

    /// - Parameter secret: at least `algorithm.minimumSecretBytes` long.
    package init(algorithm: Algorithm, secret: [UInt8]) {
        self.algorithm = algorithm
        self.secret = secret
    }

    /// The compact form (RFC 7515, section 3.1) of these claims. They are signed as they are, even if no verifier would
    /// accept them.
    ///
    /// - Throws: `TokenError.secretTooShort` or `.openSSL`.
    package func sign(_ claims: JSONValue) throws(TokenError) -> String {
        let header = JSONValue.object([.init("alg", .string(algorithm.rawValue)), .init("typ", .string("JWT"))])
        let signed = Base64.url.encode(header.encoded()) + "." + Base64.url.encode(claims.encoded())
        let key = try algorithm.key(secret)
        let signature: [UInt8]
        do { signature = try key.authenticate(Array(signed.utf8)) } catch { throw .openSSL(error) }
        return signed + "." + Base64.url.encode(signature)
    }
}

extension Signer: CustomReflectable {
    /// Empty, so that no print, dump or log shows the secret.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
