import OpenSSL

/// One step of the schema: SQL that is never changed again once it has been released.
package struct Migration: Sendable, Equatable {
    /// 1, 2, 3 … without gaps.
    package let number: Int
    /// For people.
    package let name: String
    /// A script of statements. It runs inside a transaction and must not end it.
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
