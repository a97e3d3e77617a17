import JWT

/// Decides what a token's user may do. All comparisons are exact, byte by byte.
package struct AccessRules: Sendable {
    package let adminRole: String
    package var adminUsers: [String]
    package var runUsers: [String]
    package let runRole: String?
    package var deniedUsers: [String]

    /// - Parameters:
    ///   - adminRole: the role of administrators (JWT_ADMIN_ROLE).
    ///   - adminUsers: users who are administrators without that role (ADMIN_USERS).
    ///   - runUsers: users who may start a run (RUN_USERS).
    ///   - runRole: the role that may start a run (JWT_RUN_ROLE).
    ///   - deniedUsers: users whose tokens are refused (DENY_USERS).
    package init(adminRole: String, adminUsers: [String], runUsers: [String], runRole: String?, deniedUsers: [String]) {
        self.adminRole = adminRole
        self.adminUsers = adminUsers
        self.runUsers = runUsers
        self.runRole = runRole
        self.deniedUsers = deniedUsers
    }

    package func isAdmin(_ claims: Claims) -> Bool {
        claims.hasRole(adminRole) || claims.isUser(in: adminUsers)
    }

    /// Without `runUsers` and `runRole`, every valid token may run, as documented.
    func mayRun(_ claims: Claims) -> Bool {
        if runUsers.isEmpty && runRole == nil { return true }
        return claims.isUser(in: runUsers) || runRole.map(claims.hasRole) ?? false
    }

    func isDenied(_ claims: Claims) -> Bool { claims.isUser(in: deniedUsers) }
}
