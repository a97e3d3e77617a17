/// Something that the program needs is missing or in use now. Says what it is, and what to do if waiting does not help.
package struct Unavailable: Error, CustomStringConvertible {
    package let problem: String
    package let fix: String

    package init(_ problem: String, fix: String) {
        self.problem = problem
        self.fix = fix
    }

    package var description: String { "\(problem). To fix it: \(fix)." }
}
