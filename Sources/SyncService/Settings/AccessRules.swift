import HTTPServer

extension AccessRules {
    init(_ source: SettingsSource) {
        self.init(
            adminRole: source.text("JWT_ADMIN_ROLE") ?? "admin", adminUsers: source.list("ADMIN_USERS"), runUsers: source.list("RUN_USERS"),
            runRole: source.text("JWT_RUN_ROLE"), deniedUsers: source.list("DENY_USERS"))
    }
}
