import ArgumentParser
import HTTPServer

/// Prints the table of routes, for tests and for tools that describe the API. Hidden, because operators do not need it.
struct RoutesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes", abstract: "List all routes: method, path, role, whether the body is read.", shouldDisplay: false)

    func run() {
        for row in Routes.table { print(row.route.line) }
    }
}
