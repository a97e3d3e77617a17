import Linux

/// A setting, or the place it comes from, that stops the start: what is wrong and how to mend it.
package struct SettingsError: Error, CustomStringConvertible {
    package let problem: String
    package let fix: String
    /// Whether time may mend it: the machine lacked something when the setting was looked at, or its clock is behind.
    package let mayMendItself: Bool

    /// - Parameters:
    ///   - fix: what to do where the setting is wrong. An error of the machine is told with its own remedy instead.
    ///   - cause: the system call that failed, where one did. Without it time does not mend this.
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
