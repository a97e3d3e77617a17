import HTTPServer
import HTTPTypes

/// All routes of the service: method, path, role, handler. A route without a role needs no token.
///
/// To add an endpoint, add its handler to one of the ``Endpoints`` and a row here.
enum Routes {
    typealias Row = (route: Route, handler: @Sendable (Endpoints) -> RouteTable.Handler)

    static let table: [Row] = [
        (Route(.post, "/sync/run", .runner), { $0.sync.run }),
        (Route(.get, "/sync/status", .user), { $0.sync.status }),
        (Route(.get, "/sync/log", .user), { $0.sync.log }),

        (Route(.get, "/admin/runs", .admin), { $0.runs.list }),
        (Route(.get, "/admin/runs/{id}", .admin), { $0.runs.show }),
        (Route(.get, "/admin/runs/{id}/output", .admin), { $0.runs.output }),
        (Route(.get, "/admin/runs/{id}/receipt", .admin), { $0.audit.receipt }),
        (Route(.post, "/admin/runs/{id}/cancel", .admin), { $0.control.cancel }),
        (Route(.get, "/admin/lock", .admin), { $0.control.lock }),
        (Route(.post, "/admin/lock/clear", .admin, readsBody: true), { $0.control.clear }),
        (Route(.get, "/admin/audit", .admin), { $0.audit.list }),
        (Route(.get, "/admin/audit/checkpoint", .admin), { $0.audit.checkpoint }),
        (Route(.get, "/admin/audit/verify", .admin), { $0.audit.verify }),

        (Route(.get, "/healthz", nil), { $0.health.alive }),
        (Route(.get, "/readyz", nil, readsToken: true), { $0.health.ready }),
    ]

    /// The table with these endpoints' handlers.
    static func bound(to endpoints: Endpoints) -> RouteTable {
        RouteTable(table.map { ($0.route, $0.handler(endpoints)) })
    }
}
