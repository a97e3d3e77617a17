import Linux

/// A file of the repository that the program must agree with.
func repositoryFile(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return String(decoding: try Files.read("/\(root)/\(path)", limit: 1 << 20), as: UTF8.self)
}
