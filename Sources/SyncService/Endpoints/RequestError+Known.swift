import HTTPServer
import Runs

extension RequestError {
    /// The answer to an error of another module that clients are told about; nil for any other error.
    init?(known error: any Error) {
        guard let error = error as? PathHangs else { return nil }
        self = .unavailable("This cannot be answered now: \(error)")
    }
}
