import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Answer requests until told to stop (SIGTERM).")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await ServiceLifetime.run(try common.settings(), environmentFile: common.envFile)
    }
}
