import Diagnostics
import HTTPServer

extension AccessRules {
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init(
            adminRole: try source.value(\.adminRole), adminUsers: try source.value(\.adminUsers), runUsers: try source.value(\.runUsers),
            runRole: try source.value(\.runRole), deniedUsers: try source.value(\.deniedUsers))
    }
}
