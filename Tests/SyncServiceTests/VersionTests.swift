import Testing

@testable import SyncService

@Suite struct VersionTests {
    @Test func theProgramHasTheVersionOfTheRepository() throws {
        #expect(try repositoryFile("VERSION") == RootCommand.version + "\n")
    }
}
