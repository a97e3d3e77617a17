import Linux
import Runs
import ServiceLifecycle

/// Informs the service manager that the service lives, and when it begins to stop (sd_notify(3)).
struct Heartbeat: Service {
    let coordinator: RunCoordinator

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Twice in each interval. Without a watchdog this only waits for the end.
            let pause = ServiceManager.watchdogMicroseconds.map { Duration.microseconds($0 / 2) } ?? .seconds(3600)
            while (try? await Task.sleep(for: pause)) != nil {
                // Where the actor hangs, this does not return, and the manager notices that the heartbeat stops.
                await coordinator.act()
                ServiceManager.notify("WATCHDOG=1")
            }
        }
        ServiceManager.notify("STOPPING=1")
    }
}
