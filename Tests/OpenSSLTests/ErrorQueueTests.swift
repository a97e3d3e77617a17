import COpenSSL
import Testing

@testable import OpenSSL

@Suite struct ErrorQueueTests {
    @Test func aFailureCarriesOperationAndReason() throws {
        let error = try #require(throws: OpenSSLError.self) { try Digest.compute("no such digest", of: [1]) }
        #expect(error.operation == "EVP_Q_digest")
        #expect(error.reasons.count == 1)
        #expect(error.description.contains("EVP_Q_digest"))
        #expect(error.description.contains("unsupported"))
    }

    @Test func everyErrorOfTheQueueIsTaken() {
        ErrorQueue.clear()
        #expect(EVP_MD_fetch(nil, "one", nil) == nil)
        #expect(EVP_CIPHER_fetch(nil, "two", nil) == nil)
        #expect(ErrorQueue.drain().count == 2)
        #expect(ErrorQueue.drain().isEmpty)
    }

    @Test func whatAnEarlierCallLeftIsNotReported() throws {
        #expect(EVP_MD_fetch(nil, "left behind", nil) == nil)
        #expect(ERR_peek_error() != 0)
        let error = try #require(throws: OpenSSLError.self) { try Digest.compute("no such digest", of: [1]) }
        #expect(error.reasons.count == 1)
    }

    @Test func aFailureLeavesNothingBehind() throws {
        #expect(throws: OpenSSLError.self) { try Digest.compute("no such digest", of: [1]) }
        #expect(ERR_peek_error() == 0)
    }

    @Test func everyCallClearsTheQueue() throws {
        let calls: [() throws -> Void] = [
            { _ = try SHA256.digest([1]) },
            { _ = try HMAC.authenticate([1], key: [2], hash: .sha256) },
            { _ = try Random.bytes(1) },
        ]
        for call in calls {
            #expect(EVP_MD_fetch(nil, "left behind", nil) == nil)
            try call()
            #expect(ERR_peek_error() == 0)
        }
    }

    @Test func noReasonIsSaidSo() {
        #expect(OpenSSLError(operation: "RAND_bytes", reasons: []).description.contains("no reason given"))
    }
}
