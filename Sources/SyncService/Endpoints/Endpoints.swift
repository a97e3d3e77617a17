/// The handlers of all routes, by what they serve.
struct Endpoints: Sendable {
    let sync: SyncEndpoints
    let runs: RunHistoryEndpoints
    let control: RunControlEndpoints
    let audit: AuditEndpoints
    let health: HealthEndpoints
}
