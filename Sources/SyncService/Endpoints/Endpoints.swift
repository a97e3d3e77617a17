/// The handlers of all routes.
struct Endpoints: Sendable {
    let sync: SyncEndpoints
    let runs: AdminEndpoints
    let control: RunControlEndpoints
    let audit: AuditEndpoints
    let health: HealthEndpoints
}
