import OpenSSL

/// One step of the schema. Never change its SQL after a release: databases record its checksum.
package struct Migration: Sendable, Equatable {
    /// 1, 2, 3 and so on, without gaps.
    package let number: Int
    /// For people.
    package let name: String
    /// A script of statements. It runs inside a transaction and must not end it. Foreign keys are not enforced.
    package let sql: String

    package init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }

    /// SHA-256 of the SQL's bytes, in lower-case hexadecimal.
    package func checksum() throws(OpenSSLError) -> String {
        try SHA256.digest(Array(sql.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
