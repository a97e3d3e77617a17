import Linux
import Runs
import ServiceLifecycle

/// Tells the service manager that we live, and when we begin to leave (sd_notify(3)).
struct Heartbeat: Service {
    let coordinator: RunCoordinator

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Twice in each interval; where nobody watches, only the end is waited for.
            let pause = ServiceManager.watchdogMicroseconds.map { Duration.microseconds($0 / 2) } ?? .seconds(3600)
            while (try? await Task.sleep(for: pause)) != nil {
                // The answer does not matter: one that never comes is what the manager is to notice.
                _ = await coordinator.hasRun
                ServiceManager.notify("WATCHDOG=1")
            }
        }
        ServiceManager.notify("STOPPING=1")
    }
}
