/// The problems that a check has found, each with its fix.
final class Findings {
    private(set) var all: [String] = []

    func add(_ problem: String, _ fix: String) { all.append("\(problem)\n    fix: \(fix)") }
}
