import ArgumentParser

/// Each subcommand is in the file of its name.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Verify the history, or export it for others to verify.",
        subcommands: [
            AuditVerifyCommand.self, AuditExportCommand.self, AuditCheckpointCommand.self, AuditVkeyCommand.self, AuditResumeCommand.self,
            AuditRotateKeyCommand.self,
        ])
}
