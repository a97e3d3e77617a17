import Linux

/// Prints a line to standard error, for people. Where standard error is closed, nothing happens.
package func printToStandardError(_ text: String) {
    try? Descriptor.standardError.write(Array((text + "\n").utf8))
}
