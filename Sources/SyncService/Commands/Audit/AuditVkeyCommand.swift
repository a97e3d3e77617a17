import ArgumentParser
import AuditLog
import History

struct AuditVkeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "vkey", abstract: "Print the key that others verify with.")

    @OptionGroup var common: CommonOptions

    func run() throws { print(try common.settingsOfOwner().createHistory().log.signer.verifierKey) }
}
