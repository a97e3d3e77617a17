import SyncService

/// All the rest is in a library, so that other programs can measure it.
@main enum Main {
    static func main() async { await Program.main() }
}
