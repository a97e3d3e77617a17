/// A setting, or the place it comes from, that stops the start: what is wrong and how to mend it.
struct SettingsError: Error, CustomStringConvertible {
    let problem: String
    let fix: String

    init(_ problem: String, fix: String) {
        self.problem = problem
        self.fix = fix
    }

    var description: String { "\(problem). To fix it: \(fix)." }
}
