/// What a route asks of a token.
package enum Role: String, Sendable, CaseIterable {
    /// Any valid token.
    case user
    /// Any valid token, unless RUN_USERS or JWT_RUN_ROLE says who.
    case runner
    case admin
}
