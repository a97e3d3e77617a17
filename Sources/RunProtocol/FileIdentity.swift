/// Identifies a file, whatever its name.
package struct FileIdentity: Sendable, Equatable {
    package let device: UInt64
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// As messages carry it, such as `2049:131`.
    var text: String { "\(device):\(inode)" }

    /// - Returns: nil if the text is not of that form.
    init?(_ text: String) {
        let parts = text.split(separator: ":").compactMap { UInt64($0) }
        guard parts.count == 2 else { return nil }
        self.init(device: parts[0], inode: parts[1])
    }
}
