import HTTPServer
import HTTPTypes

/// All routes of the service: method, path, role, handler. A route without a role needs no token.
///
/// To add an endpoint, add its handler to one of the ``Endpoints`` and a row here.
enum Routes {
    typealias Row = (route: Route, handler: @Sendable (Endpoints) -> RouteTable.Handler)

    static let table: [Row] = [
        (Route(.post, "/sync/run", .runner), { .onEventLoop($0.sync.run) }),
        (Route(.get, "/sync/status", .user), { .onEventLoop($0.sync.status) }),
        (Route(.get, "/sync/log", .user), { .inTask($0.sync.log) }),

        (Route(.get, "/admin/runs", .admin), { .inTask($0.runs.list) }),
        (Route(.get, "/admin/runs/{id}", .admin), { .inTask($0.runs.show) }),
        (Route(.get, "/admin/runs/{id}/output", .admin), { .inTask($0.runs.output) }),
        (Route(.get, "/admin/runs/{id}/receipt", .admin), { .inTask($0.audit.receipt) }),
        (Route(.post, "/admin/runs/{id}/cancel", .admin), { .inTask($0.control.cancel) }),
        (Route(.get, "/admin/lock", .admin), { .inTask($0.control.lock) }),
        (Route(.post, "/admin/lock/clear", .admin, readsBody: true), { .inTask($0.control.clear) }),
        (Route(.get, "/admin/audit", .admin), { .inTask($0.audit.list) }),
        (Route(.get, "/admin/audit/checkpoint", .admin), { .inTask($0.audit.checkpoint) }),
        (Route(.get, "/admin/audit/verify", .admin), { .inTask($0.audit.verify) }),

        (Route(.get, "/healthz", nil), { .onEventLoop($0.health.alive) }),
        (Route(.get, "/readyz", nil, readsToken: true), { .inTask($0.health.ready) }),
    ]

    /// The table with these endpoints' handlers.
    static func bound(to endpoints: Endpoints) -> RouteTable {
        RouteTable(table.map { ($0.route, $0.handler(endpoints)) })
    }
}
