import Linux

/// A setting, or the place it comes from, keeps the program from starting. Says what is wrong and how to fix it.
package struct SettingsError: Error, CustomStringConvertible {
    package let problem: String
    package let fix: String
    /// Whether time may mend it: the machine lacked something when the setting was read, or its clock is behind.
    package let mayMendItself: Bool

    /// - Parameters:
    ///   - fix: what to do where the setting is wrong. With a `cause` that has a remedy of its own, that one is shown.
    ///   - cause: the system call that failed, where one did. Without one, time does not mend this.
    package init(_ problem: String, fix: String, cause: SystemError? = nil) {
        self.init(problem, fix: cause?.remedy ?? fix, mayMendItself: cause?.mayPass ?? false)
    }

    package init(_ problem: String, fix: String, mayMendItself: Bool) {
        self.problem = problem
        self.fix = fix
        self.mayMendItself = mayMendItself
    }

    package var description: String { "\(problem). To fix it: \(fix)." }
}
