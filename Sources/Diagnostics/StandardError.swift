import Linux

/// Writes a line for a person to standard error.
package func tell(_ text: String) {
    try? Descriptor.standardError.write(Array((text + "\n").utf8))
}
