import JSON

extension Rules {
    /// The claims of a payload with a valid signature, if they satisfy the rules.
    /// - Parameter now: seconds since 1970.
    func check(_ payload: JSONValue, now: Int64, fingerprint: String) throws(TokenError) -> Claims {
        guard case .object = payload else { throw .claimsNotObject }
        let expiresAt = try requiredTime("exp", in: payload)
        let issuedAt = try time("iat", in: payload)
        let validFrom = try time("nbf", in: payload)
        guard now < expiresAt.adding(leewaySeconds) else { throw .expired }
        if let validFrom, now.adding(leewaySeconds) < validFrom { throw .notYetValid }
        if let issuedAt, now.adding(leewaySeconds) < issuedAt { throw .issuedInFuture }
        try checkLifetime(from: issuedAt, to: expiresAt, now: now)
        try checkIssuer(payload)
        try checkAudience(payload)
        return Claims(
            user: try user(in: payload),
            name: try name(in: payload),
            roles: roles(in: payload),
            expiresAt: expiresAt,
            issuedAt: issuedAt,
            fingerprint: fingerprint)
    }

    private func checkLifetime(from issuedAt: Int64?, to expiresAt: Int64, now: Int64) throws(TokenError) {
        let latestEnd = issuedAt?.adding(maxLifetimeSeconds) ?? now.adding(leewaySeconds).adding(maxLifetimeSeconds)
        guard expiresAt <= latestEnd else { throw .lifetimeTooLong }
        guard let acceptedFrom = notBefore else { return }
        let isEarlier = issuedAt.map { $0 < acceptedFrom } ?? (expiresAt < acceptedFrom.adding(maxLifetimeSeconds))
        if isEarlier { throw .revoked }
    }

    private func checkIssuer(_ payload: JSONValue) throws(TokenError) {
        guard let issuer else { return }
        guard let claim = payload["iss"] else { throw .missingClaim("iss") }
        guard claim == .string(issuer) else { throw .issuer }
    }

    private func checkAudience(_ payload: JSONValue) throws(TokenError) {
        guard let audience else { return }
        guard let claim = payload["aud"] else { throw .missingClaim("aud") }
        let audiences: [JSONValue] = if case .array(let elements) = claim { elements } else { [claim] }
        guard audiences.allSatisfy(\.isString) else { throw .malformedClaim("aud") }
        guard audiences.contains(.string(audience)) else { throw .audience }
    }

    private func user(in payload: JSONValue) throws(TokenError) -> String {
        switch payload[userClaim] {
        case nil: throw .missingClaim(userClaim)
        case .string(let user) where !user.isEmpty && user.isPresentable: return user
        case .integer(let number): return String(number)
        default: throw .malformedClaim(userClaim)
        }
    }

    private func name(in payload: JSONValue) throws(TokenError) -> String? {
        switch payload[nameClaim] {
        case nil: return nil
        case .string(let name) where name.utf8.count <= maximumNameBytes:
            if name.isPresentable { return name }
            // Only for display, so a strange character is no reason to refuse the token.
            return String(String.UnicodeScalarView(name.unicodeScalars.map { $0.isPresentable ? $0 : "\u{FFFD}" }))
        default: throw .malformedClaim(nameClaim)
        }
    }

    /// A claim of any other type gives no role, but the token stays valid where none is needed.
    private func roles(in payload: JSONValue) -> [String] {
        switch payload[roleClaim] {
        case .string(let role):
            return [role]
        case .array(let elements):
            let roles = elements.compactMap(\.string)
            return roles.count == elements.count ? roles : []
        default:
            return []
        }
    }

    private func requiredTime(_ name: String, in payload: JSONValue) throws(TokenError) -> Int64 {
        guard let time = try time(name, in: payload) else { throw .missingClaim(name) }
        return time
    }

    /// A NumericDate (RFC 7519, section 2) between the years 1970 and 9999, so that it can be written as a date. Fractions
    /// of a second are dropped, as in the clock that it is compared with.
    private func time(_ name: String, in payload: JSONValue) throws(TokenError) -> Int64? {
        guard let claim = payload[name] else { return nil }
        let range: ClosedRange<Int64> = 0...253_402_300_799
        switch claim {
        case .integer(let seconds) where range.contains(seconds):
            return seconds
        case .number(let literal):
            guard !literal.hasPrefix("-"), let seconds = Double(literal),
                let whole = Int64(exactly: seconds.rounded(.down)), range.contains(whole)
            else { throw .malformedClaim(name) }
            return whole
        default:
            throw .malformedClaim(name)
        }
    }
}

extension JSONValue {
    fileprivate var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    fileprivate var isString: Bool { string != nil }
}

private let maximumNameBytes = 256

extension String {
    /// Whether logs, terminals and the history may show it. Two different users must not look the same.
    fileprivate var isPresentable: Bool { utf8.count <= maximumNameBytes && unicodeScalars.allSatisfy(\.isPresentable) }
}

extension Unicode.Scalar {
    /// Not a control, format or separator character (Cc, Cf, Zl, Zp). These reverse the direction of text, break lines or
    /// are invisible.
    fileprivate var isPresentable: Bool {
        // Most characters are these, and the table of properties is slow.
        if (0x20...0x7e).contains(value) { return true }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

extension Int64 {
    /// The sum, or the nearest limit, because settings and clocks may have any value.
    fileprivate func adding(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
