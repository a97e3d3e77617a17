/// What a token must fulfil: the settings named JWT_.
package struct Rules: Sendable {
    /// The only algorithm accepted (RFC 8725, section 3.1).
    package var algorithm: Algorithm
    /// At least `algorithm.minimumSecretBytes` long; no token passes under a shorter one.
    package var secret: [UInt8]
    /// Accepted as well, for rotation; as long as `secret` must be.
    package var previousSecret: [UInt8]?
    /// When set, `iss` must be there and equal, byte by byte.
    package var issuer: String?
    /// When set, `aud` must be there and be or contain it, byte by byte.
    package var audience: String?
    /// How far the issuer's clock may be from ours.
    package var leewaySeconds: Int64
    /// From `iat`, or without one from now, to `exp`.
    package var maxLifetimeSeconds: Int64
    /// Seconds since 1970. Tokens issued earlier are refused, as are those without `iat` that expire less than
    /// `maxLifetimeSeconds` later. An issuer that leaves out `iat` and signs longer lifetimes than that is
    /// only cut off by a new secret.
    package var notBefore: Int64?
    /// The claim that names the user.
    package var userClaim: String
    /// The claim with the user's readable name.
    package var nameClaim: String
    /// The claim with a role or an array of roles.
    package var roleClaim: String

    package init(
        algorithm: Algorithm = .HS256,
        secret: [UInt8],
        previousSecret: [UInt8]? = nil,
        issuer: String? = nil,
        audience: String? = nil,
        leewaySeconds: Int64 = 30,
        maxLifetimeSeconds: Int64 = 90000,
        notBefore: Int64? = nil,
        userClaim: String = "sub",
        nameClaim: String = "name",
        roleClaim: String = "role"
    ) {
        self.algorithm = algorithm
        self.secret = secret
        self.previousSecret = previousSecret
        self.issuer = issuer
        self.audience = audience
        self.leewaySeconds = leewaySeconds
        self.maxLifetimeSeconds = maxLifetimeSeconds
        self.notBefore = notBefore
        self.userClaim = userClaim
        self.nameClaim = nameClaim
        self.roleClaim = roleClaim
    }
}

extension Rules: CustomReflectable {
    /// Empty, so that no print, dump or log of a value around it shows a secret.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
