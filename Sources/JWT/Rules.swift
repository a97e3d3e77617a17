/// The rules for tokens: the settings with names that begin with JWT_.
package struct Rules: Sendable {
    /// The only algorithm accepted (RFC 8725, section 3.1).
    package var algorithm: Algorithm
    /// At least `algorithm.minimumSecretBytes` long. With a shorter one, every token is refused.
    package var secret: [UInt8]
    /// A second secret that is accepted during a rotation, with the same minimum length.
    package var previousSecret: [UInt8]?
    /// If set, `iss` must be present and equal, byte by byte.
    package var issuer: String?
    /// If set, `aud` must be present and be or contain it, byte by byte.
    package var audience: String?
    /// How much the issuer's clock may differ from ours.
    package var leewaySeconds: Int64
    /// The limit of the time from `iat`, or from now without `iat`, to `exp`.
    package var maxLifetimeSeconds: Int64
    /// Seconds since 1970. Tokens issued earlier are refused. So are tokens without `iat` that expire less than
    /// `maxLifetimeSeconds` later. If an issuer leaves out `iat` and signs longer lifetimes, only a new secret revokes its
    /// tokens.
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
    /// Empty, so that no print, dump or log shows a secret.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
