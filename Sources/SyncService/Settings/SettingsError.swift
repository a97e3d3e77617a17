import Linux

/// A setting, or the place it comes from, that stops the start: what is wrong and how to mend it.
struct SettingsError: Error, CustomStringConvertible {
    let problem: String
    let fix: String
    /// Whether the setting may be right, because the machine lacked something when it was looked at.
    let mayMendItself: Bool

    /// - Parameter cause: the system call that failed, where one did.
    init(_ problem: String, fix: String, cause: SystemError? = nil) {
        self.problem = problem
        self.fix = fix
        mayMendItself = cause?.mayPass ?? false
    }

    var description: String { "\(problem). To fix it: \(fix)." }
}
