import Logging

/// The program's log: lines on standard error, for the journal or a terminal.
enum Log {
    static func make(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "sync-service") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
