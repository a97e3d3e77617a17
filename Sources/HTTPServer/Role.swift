/// What a route demands of a token.
package enum Role: String, Sendable, CaseIterable {
    /// Any valid token.
    case user
    /// Any valid token, unless RUN_USERS or JWT_RUN_ROLE is set: then only the users and the role that they name.
    case runner
    /// A token with the role JWT_ADMIN_ROLE, or of a user in ADMIN_USERS.
    case admin
}
