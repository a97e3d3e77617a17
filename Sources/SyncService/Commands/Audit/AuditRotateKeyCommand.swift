import ArgumentParser
import AuditLog
import History

struct AuditRotateKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key", abstract: "Make a new signing key, which the old one approves.",
        discussion: "Stop the service first. Afterwards give the new vkey to everyone who verifies.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let settings = try common.settingsOfOwner()
        let state = StateDirectory(settings)
        try state.prepare()
        let lock = try state.lockForService()
        let history = try settings.openHistory()
        print(try history.rotateKey(settings.audit, by: Caller.principal()))
        withExtendedLifetime(lock) {}
    }
}
