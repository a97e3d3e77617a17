import JWT

/// Who may do what, decided by exact comparison only.
package struct AccessRules: Sendable {
    package let adminRole: String
    package var adminUsers: [String]
    package var runUsers: [String]
    package let runRole: String?
    package var deniedUsers: [String]

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

    /// As documented every valid token may run, unless a list or a role says who.
    func mayRun(_ claims: Claims) -> Bool {
        if runUsers.isEmpty && runRole == nil { return true }
        return claims.isUser(in: runUsers) || runRole.map(claims.hasRole) ?? false
    }

    func isDenied(_ claims: Claims) -> Bool { claims.isUser(in: deniedUsers) }
}
