import Testing

@testable import HTTPServer

@Suite struct PathPatternTests {
    @Test func pathsMatchExactly() {
        func match(_ path: String) -> Int64? { PathPattern("/admin/runs/{id}").match(path) }
        #expect(match("/admin/runs/12") == 12)
        for path in [
            "/admin/runs/0", "/admin/runs/012", "/admin/runs/+1", "/admin/runs/-1", "/admin/runs/", "/admin/runs/1/", "/admin//runs/1",
            "/Admin/runs/1", "/admin/runs/99999999999999999999", "/admin/runs/%31", "admin/runs/1",
        ] { #expect(match(path) == nil, "\(path)") }
    }

    @Test func whatFollowsTheNumberCountsToo() {
        let pattern = PathPattern("/admin/runs/{id}/output")
        #expect(pattern.match("/admin/runs/9223372036854775807/output") == .max)
        for path in ["/admin/runs/1", "/admin/runs/1/", "/admin/runs/1/outputs", "/admin/runs//output", "/admin/runs/9223372036854775808/output"] {
            #expect(pattern.match(path) == nil, "\(path)")
        }
    }

    @Test func aPathWithoutNumberMatchesItselfOnly() {
        #expect(PathPattern("/sync/run").match("/sync/run") == 0)
        for path in ["/sync/run/", "/sync/ru", "/sync/runs", "sync/run", "/SYNC/run", ""] {
            #expect(PathPattern("/sync/run").match(path) == nil, "\(path)")
        }
    }
}
